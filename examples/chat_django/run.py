"""The chat with two processes: Fanjet as a server, and a Django backend that it asks over HTTP.

pip install 'fanjet[examples]' && python examples/chat_django/run.py
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
BACKEND, SERVER = f"127.0.0.1:{PORT}", f"127.0.0.1:{PORT + 1}"
SECRET = secrets.token_urlsafe(32)

CONFIG = {
    "http_server": {"address": "127.0.0.1", "port": PORT + 1},
    "http_api": {"key": SECRET},
    "client": {"token": {"hmac_secret_key": SECRET}, "allowed_origins": [f"http://{BACKEND}"]},
    "channel": {
        "proxy": {"publish": {"endpoint": f"http://{BACKEND}/fanjet/publish"}},
        "namespaces": [
            {
                "name": "room",
                "allow_subscribe_for_client": True,
                "allow_history_for_subscriber": True,
                "publish_proxy_enabled": True,
                "history_size": 100,
                "history_ttl": "1h",
                "force_recovery": True,
            }
        ],
    },
}


def main() -> None:
    """Run both until one of them ends, Ctrl+C, or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = os.environ | {"FANJET_URL": f"http://{SERVER}", "FANJET_SECRET": SECRET, "BACKEND_ADDRESS": BACKEND}
    backend = [sys.executable, str(Path(__file__).parent / "backend.py")]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(CONFIG))
        server = [sys.executable, "-m", "fanjet", "-c", str(config)]
        print(f"Chat: http://{BACKEND}/", flush=True)
        processes = [subprocess.Popen(command, env=environment) for command in (server, backend)]
        try:
            processes[0].wait()
        except KeyboardInterrupt:
            pass
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


if __name__ == "__main__":
    main()
