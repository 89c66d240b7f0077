"""The configuration of the development server, and what its user must know about it."""

from dataclasses import dataclass
from ipaddress import ip_address
from secrets import token_hex
from typing import Final

from fanjet.config import Config

DEFAULT_ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000

CONSOLE: Final = "/admin"
SECRET_BYTES: Final = 32
"""Of the secret that tokens are signed by; each start has its own."""

HISTORY_SIZE: Final = 100
HISTORY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the development server listens."""

    address: str = DEFAULT_ADDRESS
    port: int = DEFAULT_PORT

    @property
    def reach(self) -> str:
        """The host that a browser on this machine uses."""
        if self.everywhere:
            return "127.0.0.1"
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def everywhere(self) -> bool:
        """Whether it listens on all interfaces."""
        return self.address in ("", "0.0.0.0", "::")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it; a host name other than `localhost` counts as reachable."""
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return self.address == "localhost"

    @property
    def host(self) -> str:
        """Host and port as they stand in its URLs."""
        return f"{self.reach}:{self.port}"


def dev_config(place: Place) -> Config:
    """Return a configuration in which everything can be tried: no token, no key, all channels with history."""
    return Config.model_validate(
        {
            "http_server": {"address": place.address, "port": place.port},
            "client": {
                "insecure": True,
                "allowed_origins": allowed_origins(place),
                "token": {"hmac_secret_key": token_hex(SECRET_BYTES)},
            },
            "http_api": {"insecure": True},
            "admin": {"enabled": True, "insecure": True, "external": True, "handler_prefix": CONSOLE},
            "channel": {
                "without_namespace": {
                    "presence": True,
                    "join_leave": True,
                    "history_size": HISTORY_SIZE,
                    "history_ttl": HISTORY_SECONDS,
                    "allow_positioning": True,
                    "allow_recovery": True,
                    "allowed_delta_types": ("fossil",),
                    "allow_tags_filter": True,
                }
            },
        }
    )


def allowed_origins(place: Place) -> tuple[str, ...]:
    """Return the origins of the server's own page, as patterns."""
    if place.everywhere:
        return (f"http://*:{place.port}",)
    names = ["127.0.0.1", "localhost", "[::1]"] if place.loopback else [place.reach]
    # Brackets are character classes in patterns.
    return tuple(f"http://{name}:{place.port}".replace("[", "\\[").replace("]", "\\]") for name in names)


def announcement(place: Place, version: str) -> str:
    """Return what is printed at start: where to go, and which of the choices are insecure."""
    data = '{"channel": "lobby", "data": {"from": "curl", "text": "Hello"}}'
    warnings = [
        "clients need no token and may do everything in every channel (client.insecure)",
        "the server API takes calls without a key (http_api.insecure)",
        "the console asks for no password (admin.insecure)",
        f"pages of these origins may connect: {' '.join(allowed_origins(place))}".replace("\\", ""),
        "messages are kept in memory and end with the server",
    ]
    if not place.loopback:
        warnings.insert(0, f"everyone who can reach {place.address or 'this machine'}:{place.port} has all of this")
    lines = [
        f"Fanjet {version} development server",
        "",
        f"  Page       http://{place.host}/",
        f"  Console    http://{place.host}{CONSOLE}/",
        f"  WebSocket  ws://{place.host}/connection/websocket",
        f"  Publish    curl -d '{data}' http://{place.host}/api/publish",
        "",
        "INSECURE, for development only:",
        *(f"  - {warning}" for warning in warnings),
        "",
        "Ctrl+C stops it.",
        "",
    ]
    return "\n".join(lines)
