"""A notification feed without any SDK: the browser listens by EventSource, the backend is `curl`.

python examples/notifications/run.py
"""

import sys
from pathlib import Path
from typing import Any

import fanjet

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
API_KEY = "a key for this example"
PAGE = Path(__file__).parent / "index.html"


async def page(scope: Any, receive: Any, send: Any) -> None:
    """The page, for whatever is asked; in ASGI, as a single function."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE.read_bytes()})


server = fanjet.Server(
    {
        "http_server": {"address": "127.0.0.1", "port": PORT},
        "http_api": {"key": API_KEY},
        "uni_sse": {"enabled": True},
        "channel": {"without_namespace": {"history_size": 10, "history_ttl": "1h", "force_recovery": True}},
    },
    asgi=page,
)


@server.on_connect
async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
    return fanjet.ConnectReply(user="reader", channels=["notifications"])


if __name__ == "__main__":
    print(f"Feed:   http://127.0.0.1:{PORT}/")
    print(f"Notify: curl -H 'X-API-Key: {API_KEY}' http://127.0.0.1:{PORT}/api/publish \\")
    print("""          -d '{"channel": "notifications", "data": {"title": "Dinner is ready"}}'""", flush=True)
    sys.exit(server.run())
