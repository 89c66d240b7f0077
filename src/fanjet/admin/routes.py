"""Routes of the admin endpoints (10 H.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .auth.authorization import Authorizer
from .auth.login import Login
from .console.assets import ConsoleAssets
from .static_files import StaticFiles
from .web_proxy import WebProxy

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.router import Endpoint

    from .console.endpoints import ConsoleEndpoints
    from .oidc.sign_in import SignIn


class AdminRoutes:
    """Paths of the admin endpoints, grouped by the limit of their bodies.

    `api` runs commands in the legacy envelope; `console` makes the console's endpoints.
    """

    def __init__(self, config: Admin, api: Endpoint, console: ConsoleEndpoints) -> None:
        self._config = config
        self._base = config.handler_prefix.rstrip("/")
        self._sign_in = _sign_in(config)
        self._authorizer = Authorizer(config, self._sign_in)
        self._login = Login(config, self._authorizer, self._sign_in)
        self._api = api
        self._console = console

    def api(self) -> dict[str, Endpoint]:
        """The command endpoint, with the body limit of the server API."""
        return {f"{self._base}/admin/api": self._authorizer.require_auth(self._api)}

    def login(self) -> dict[str, Endpoint]:
        """The login endpoint, which receives a form."""
        return {f"{self._base}/admin/auth": self._login.auth}

    def small_requests(self) -> dict[str, Endpoint]:
        """Endpoints with a small body or none. Raises `ScriptsMissing`."""
        at, require_auth = f"{self._base}/admin/", self._authorizer.require_auth
        get_endpoints = {
            at + path: require_auth(endpoint, "GET") for path, endpoint in self._console.get_endpoints().items()
        }
        posted = self._console.stream_endpoints() | self._console.post_endpoints()
        post_endpoints = {at + path: require_auth(endpoint) for path, endpoint in posted.items()}
        logins = {} if self._sign_in is None else {at + path: each for path, each in self._sign_in.routes().items()}
        return {
            f"{at}init": self._login.init,
            **logins,
            **get_endpoints,
            **post_endpoints,
            f"{self._base}/": self._console_files(),
        }

    def _console_files(self) -> Endpoint:
        prefix = f"{self._base}/"
        if self._config.web_proxy_address:
            return WebProxy(self._config.web_proxy_address)
        if self._config.web_path:
            return StaticFiles(self._config.web_path, prefix)
        oidc = self._config.oidc
        return ConsoleAssets(prefix, provider=oidc.issuer if oidc.enabled and not oidc.client_secret else "")


def _sign_in(config: Admin) -> SignIn | None:
    if not config.oidc.enabled:
        return None
    from .oidc.sign_in import SignIn  # noqa: PLC0415 (its HTTP client takes long to import)

    return SignIn(config)
