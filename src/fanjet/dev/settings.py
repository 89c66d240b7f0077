"""The configuration of the development server and its start-up message."""

from dataclasses import dataclass
from ipaddress import ip_address
from secrets import token_hex
from typing import Final

from fanjet.config import Config

DEFAULT_ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000

CONSOLE: Final = "/admin"
SECRET_BYTES: Final = 32
"""Size of the token secret, which is generated at each start."""

HISTORY_SIZE: Final = 100
HISTORY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """The address that the development server listens on."""

    address: str = DEFAULT_ADDRESS
    port: int = DEFAULT_PORT

    @property
    def browser_host(self) -> str:
        """The host for a browser on this machine."""
        if self.all_interfaces:
            return "127.0.0.1"
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def all_interfaces(self) -> bool:
        """Whether it listens on all interfaces."""
        return self.address in ("", "0.0.0.0", "::")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address.

        A host name other than `localhost` counts as reachable.
        """
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return self.address == "localhost"

    @property
    def host(self) -> str:
        """Host and port for URLs."""
        return f"{self.browser_host}:{self.port}"


def dev_config(listen: ListenAddress) -> Config:
    """Return an open configuration: no tokens, no API key, all channels with history."""
    return Config.model_validate(
        {
            "http_server": {"address": listen.address, "port": listen.port},
            "client": {
                "insecure": True,
                "allowed_origins": allowed_origins(listen),
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


def allowed_origins(listen: ListenAddress) -> tuple[str, ...]:
    """Return the origins of the server's own page, as patterns."""
    if listen.all_interfaces:
        return (f"http://*:{listen.port}",)
    names = ["127.0.0.1", "localhost", "[::1]"] if listen.loopback else [listen.browser_host]
    # Brackets denote character classes in patterns.
    return tuple(f"http://{name}:{listen.port}".replace("[", "\\[").replace("]", "\\]") for name in names)


def startup_message(listen: ListenAddress, version: str) -> str:
    """Return the message printed at start: URLs, and which settings are insecure."""
    data = '{"channel": "lobby", "data": {"from": "curl", "text": "Hello"}}'
    warnings = [
        "clients need no token and may do everything in every channel (client.insecure)",
        "the server API takes calls without a key (http_api.insecure)",
        "the console asks for no password (admin.insecure)",
        f"pages of these origins may connect: {' '.join(allowed_origins(listen))}".replace("\\", ""),
        "messages are kept in memory and end with the server",
    ]
    if not listen.loopback:
        warnings.insert(0, f"everyone who can reach {listen.address or 'this machine'}:{listen.port} has all of this")
    lines = [
        f"Fanjet {version} development server",
        "",
        f"  Page       http://{listen.host}/",
        f"  Console    http://{listen.host}{CONSOLE}/",
        f"  WebSocket  ws://{listen.host}/connection/websocket",
        f"  Publish    curl -d '{data}' http://{listen.host}/api/publish",
        "",
        "INSECURE, for development only:",
        *(f"  - {warning}" for warning in warnings),
        "",
        "Ctrl+C stops it.",
        "",
    ]
    return "\n".join(lines)
