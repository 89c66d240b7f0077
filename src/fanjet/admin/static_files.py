"""Serves a folder's files over HTTP, for `admin.web_path` (10 H.2)."""

from __future__ import annotations

import mimetypes
import os
from email.utils import formatdate, parsedate_to_datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fanjet.net.http1.response import NO_SNIFFING, TEXT

from .byte_range import BeyondEnd, Unsatisfiable, requested_range

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange


class StaticFiles:
    """Serves the files below `root` under paths that begin with `prefix`.

    A folder is served as its `index.html`, or else as a listing.
    """

    def __init__(self, root: str, prefix: str) -> None:
        self._root = Path(root or ".")
        self._prefix = prefix

    def __call__(self, exchange: Exchange) -> None:
        """Respond with the file, whatever the method."""
        below = exchange.request.path.removeprefix(self._prefix)
        if below.endswith("/index.html") or below == "index.html":
            redirect(exchange, "./")
            return
        segments = [part for part in below.split("/") if part]
        if any(part == ".." or "\0" in part for part in segments):
            _not_found(exchange)
            return
        self._serve(exchange, self._root.joinpath(*segments), is_folder=not below or below.endswith("/"))

    def _serve(self, exchange: Exchange, path: Path, *, is_folder: bool) -> None:
        try:
            if path.is_dir() != is_folder:
                name = quote(path.name)
                redirect(exchange, f"../{name}" if is_folder else f"{name}/") if path.exists() else _not_found(exchange)
            elif not is_folder:
                _send(exchange, path)
            elif (path / "index.html").is_file():
                _send(exchange, path / "index.html")
            else:
                exchange.respond(200, _listing(path), b"text/html; charset=utf-8", (_last_modified(path),))
        except OSError:
            _not_found(exchange)


def _send(exchange: Exchange, path: Path) -> None:
    """Raises `OSError`."""
    last_modified = _last_modified(path)
    if _not_modified(exchange.request.headers.get(b"if-modified-since"), int(path.stat().st_mtime)):
        exchange.respond(304, headers=(last_modified,))
        return
    body = path.read_bytes()
    headers = (last_modified, (b"Accept-Ranges", b"bytes"))
    content_type = _content_type(path.name, body)
    request_headers = exchange.request.headers
    try:
        unchanged = request_headers.get(b"if-range", last_modified[1]) == last_modified[1]
        part = requested_range(request_headers.get(b"range", b""), len(body)) if unchanged else None
    except Unsatisfiable as error:
        whole = ((b"Content-Range", b"bytes */%d" % len(body)),) if isinstance(error, BeyondEnd) else ()
        exchange.respond(416, f"{error}\n".encode(), TEXT, (NO_SNIFFING, *whole))
        return
    if part is None:
        exchange.respond(200, body, content_type, headers)
    else:
        content_range = (b"Content-Range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, len(body)))
        exchange.respond(206, body[part.start : part.stop], content_type, (*headers, content_range))


def _last_modified(path: Path) -> tuple[bytes, bytes]:
    return b"Last-Modified", formatdate(int(path.stat().st_mtime), usegmt=True).encode()


def _not_modified(since: bytes | None, last_modified: int) -> bool:
    if since is None:
        return False
    try:
        return parsedate_to_datetime(since.decode("latin-1")).timestamp() >= last_modified
    except (ValueError, TypeError):
        return False


def _content_type(name: str, body: bytes) -> bytes:
    guessed = mimetypes.guess_type(name)[0]
    if guessed is None:
        return TEXT if b"\0" not in body[:512] else b"application/octet-stream"
    return f"{guessed}; charset=utf-8".encode() if guessed.startswith("text/") else guessed.encode()


def _listing(folder: Path) -> bytes:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in os.scandir(folder))
    lines = "".join(f'<a href="{quote(name)}">{escape(name)}</a>\n' for name in names)
    head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n'
    return f"{head}<pre>\n{lines}</pre>\n".encode("utf-8", "surrogateescape")


def redirect(exchange: Exchange, location: str) -> None:
    """Redirect to the relative URL `location`, keeping the query."""
    query = exchange.request.query
    target = location.encode() + (b"?" + query if query else b"")
    exchange.respond(301, headers=((b"Location", target),))


def _not_found(exchange: Exchange) -> None:
    exchange.respond(404, b"404 page not found\n", TEXT, (NO_SNIFFING,))
