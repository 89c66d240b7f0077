"""The Django half: it signs tokens, decides about publications, and publishes through the server API."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from importlib.resources import files
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

FANJET, SECRET = os.environ["FANJET_URL"], os.environ["FANJET_SECRET"]
HERE = Path(__file__).parent
SDK = files("fanjet") / "dev" / "static" / "vendor" / "centrifuge.js"

settings.configure(
    SECRET_KEY=SECRET, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"], MIDDLEWARE=[], DEBUG=False
)
django.setup()


def token(user: str) -> str:
    """A connection token (HS256) that is good for an hour."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": user, "exp": int(time.time()) + 3600}]
    signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_base64(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def page(request: HttpRequest) -> HttpResponse:
    websocket = FANJET.replace("http", "ws", 1) + "/connection/websocket"
    return HttpResponse((HERE / "index.html").read_text().replace("{{ websocket }}", websocket))


def sdk(request: HttpRequest) -> HttpResponse:
    return HttpResponse(SDK.read_bytes(), content_type="text/javascript")


def give_token(request: HttpRequest) -> HttpResponse:
    """Where a real application would look at its session, this one believes what it is told."""
    name = request.GET.get("name", "").strip()[:20]
    return JsonResponse({"token": token(name)}) if name else HttpResponseForbidden()


@csrf_exempt
def decide_publish(request: HttpRequest) -> JsonResponse:
    """Fanjet asks what to do with a publication."""
    asked: dict[str, Any] = json.loads(request.body)
    text = str(asked["data"].get("text", "")).strip()
    if not text:
        return JsonResponse({"error": {"code": 4001, "message": "say something"}})
    return JsonResponse({"result": {"data": {"from": asked["user"], "text": text}}})


@csrf_exempt
def announce(request: HttpRequest) -> HttpResponse:
    """Publish through the server API."""
    body = {"channel": "room:lobby", "data": {"from": "the house", "text": request.POST["text"]}}
    call = urllib.request.Request(
        f"{FANJET}/api/publish", json.dumps(body).encode(), {"X-API-Key": SECRET}, method="POST"
    )
    with urllib.request.urlopen(call, timeout=5) as answer:
        return HttpResponse(answer.read(), content_type="application/json")


urlpatterns = [
    path("", page),
    path("centrifuge.js", sdk),
    path("token", give_token),
    path("fanjet/publish", decide_publish),
    path("announcements", announce),
]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(["backend", "runserver", "--noreload", os.environ["BACKEND_ADDRESS"]])
