"""All endpoints of the admin room by their paths (10 H.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .auth.authorization import Gate
from .auth.login import Login
from .console.assets import Interface
from .static_files import Folder
from .web_proxy import Forward

if TYPE_CHECKING:
    from fanjet.config.tree.operations import Admin
    from fanjet.net.router import Endpoint

    from .console.endpoints import Console
    from .oidc.sign_in import SignIn


class AdminRoutes:
    """Where the admin endpoints are, by the limits that their bodies have. `api` carries out commands in the legacy
    envelope, `console` answers what its pages ask."""

    def __init__(self, config: Admin, api: Endpoint, console: Console) -> None:
        self._config = config
        self._base = config.handler_prefix.rstrip("/")
        self._sign_in = _sign_in(config)
        self._gate = Gate(config, self._sign_in)
        self._login = Login(config, self._gate, self._sign_in)
        self._api = api
        self._console = console

    def api(self) -> dict[str, Endpoint]:
        """Commands, whose bodies may be as long as those of the server API."""
        return {f"{self._base}/admin/api": self._gate.guard(self._api)}

    def login(self) -> dict[str, Endpoint]:
        """What sends a form."""
        return {f"{self._base}/admin/auth": self._login.auth}

    def others(self) -> dict[str, Endpoint]:
        """What hardly has a body. Raises `ScriptsMissing`."""
        at, guard = f"{self._base}/admin/", self._gate.guard
        questions = {at + path: guard(endpoint, "GET") for path, endpoint in self._console.questions().items()}
        posted = self._console.traces() | self._console.wishes()
        wishes = {at + path: guard(endpoint) for path, endpoint in posted.items()}
        logins = {} if self._sign_in is None else {at + path: each for path, each in self._sign_in.routes().items()}
        return {f"{at}init": self._login.init, **logins, **questions, **wishes, f"{self._base}/": self._pages()}

    def _pages(self) -> Endpoint:
        prefix = f"{self._base}/"
        if self._config.web_proxy_address:
            return Forward(self._config.web_proxy_address)
        if self._config.web_path:
            return Folder(self._config.web_path, prefix)
        oidc = self._config.oidc
        return Interface(prefix, provider=oidc.issuer if oidc.enabled and not oidc.client_secret else "")


def _sign_in(config: Admin) -> SignIn | None:
    if not config.oidc.enabled:
        return None
    from .oidc.sign_in import SignIn  # noqa: PLC0415 (its HTTP client takes long to import)

    return SignIn(config)
