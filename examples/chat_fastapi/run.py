"""A chat: FastAPI serves the page, functions of this program decide about everything, all in one process on one port.

pip install 'fanjet[examples]' && python examples/chat_fastapi/run.py
"""

import sys
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response

import fanjet

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
SDK = files("fanjet") / "dev" / "static" / "vendor" / "centrifuge.js"

app = FastAPI()
server = fanjet.Server(
    {
        "http_server": {"address": "127.0.0.1", "port": PORT},
        "client": {"allowed_origins": [f"http://127.0.0.1:{PORT}", f"http://localhost:{PORT}"]},
        "channel": {
            "namespaces": [
                {"name": "room", "presence": True, "history_size": 100, "history_ttl": "1h", "force_recovery": True}
            ]
        },
    },
    asgi=app,
)


@server.on_connect
async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
    name = str((event.json() or {}).get("name", "")).strip()[:20]
    if not name:
        raise fanjet.DisconnectClient(4500, "tell us your name")
    return fanjet.ConnectReply(user=name)


@server.on_subscribe("room")
async def subscribe(event: fanjet.SubscribeEvent) -> fanjet.SubscribeReply:
    if event.channel == "room:staff" and event.user != "root":
        raise fanjet.PermissionDenied
    return fanjet.SubscribeReply(allow=["hst"])


@server.on_publish("room")
async def publish(event: fanjet.PublishEvent) -> fanjet.PublishReply:
    text = str(event.json().get("text", "")).strip()
    if not text:
        raise fanjet.ClientError(4001, "say something")
    return fanjet.PublishReply(data={"from": event.user, "text": text})


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).parent / "index.html")


@app.get("/centrifuge.js")
async def sdk() -> Response:
    return Response(SDK.read_bytes(), media_type="text/javascript")


@app.post("/rooms/{room}/announcements")
async def announce(room: str, text: str) -> dict[str, int]:
    published = await server.api.publish(f"room:{room}", {"from": "the house", "text": text})
    return {"offset": published.offset}


if __name__ == "__main__":
    print(f"Chat: http://127.0.0.1:{PORT}/", flush=True)
    sys.exit(server.run())
