"""`fanjet configdoc`: the reference of all keys, generated from the tree (04 §7.6)."""

import html
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import typer

from fanjet.cli.options import IGNORES_ARGUMENTS, fail
from fanjet.config import Config
from fanjet.config.duration import format_duration
from fanjet.config.schema import NAMED_LISTS, Group, Key, Path, ValueType, group_of, variable_suffix
from fanjet.config.sources.environment import PREFIX

DEEPEST_HEADING = 6

INTRODUCTION = """\
Values come from, in this order of strength: defaults, the configuration file (JSON, YAML or TOML), environment
variables, command-line flags. A variable is read under its name below or, where that is not set, with the prefix
`CENTRIFUGO_` in place of `FANJET_`; keys below `fanjet` have the first form only. A zero, an empty text or an empty
duration in the file means the default. Durations are texts such as `250ms`, `10s`, `1h30m`; in the code they are
seconds."""

Markdown = Annotated[bool, typer.Option("--markdown", "-m", help="print Markdown")]
SectionPrefix = Annotated[str, typer.Option("--section", "-s", help="only keys that start with this")]
Port = Annotated[int, typer.Option("--port", "-p", help="port to show the page on")]
BaseLevel = Annotated[int, typer.Option("--base-level", "-l", help="level to add to headings")]


@dataclass(frozen=True, slots=True)
class Entry:
    """The documentation of a key or object. `variable` is empty where there is none."""

    key: str
    depth: int
    type: str
    default: str
    variable: str
    description: str

    def facts(self) -> list[tuple[str, str]]:
        """Return the labelled facts."""
        facts = [("Type", self.type), ("Default", self.default), ("Env", self.variable)]
        return [(label, value) for label, value in facts if value]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("configdoc", context_settings=IGNORES_ARGUMENTS)
    def configdoc(
        markdown: Markdown = False, section: SectionPrefix = "", port: Port = 6060, base_level: BaseLevel = 0
    ) -> None:
        """Show the reference of all configuration keys."""
        if markdown:
            print(reference_markdown(section, base_level), end="")
        else:
            _show_page(section, port)


def reference_markdown(section: str = "", base_level: int = 0) -> str:
    """Return the reference as Markdown; headings are as deep as their keys plus `base_level`, at most six levels.

    A base level leaves room for a title.
    """
    parts = [f"{'#' * base_level} Configuration reference"] if 0 < base_level < DEEPEST_HEADING and not section else []
    if not section:
        parts.append(INTRODUCTION)
    for entry in entries(section):
        level = max(1, min(entry.depth + base_level, DEEPEST_HEADING))
        parts.append(f"{'#' * level} `{entry.key}`")
        parts.append(" · ".join(f"{label}: `{value}`" for label, value in entry.facts()))
        parts.append(_sentence(entry.description))
    return "\n\n".join(part for part in parts if part) + "\n"


def entries(section: str = "") -> list[Entry]:
    """Return all entries whose key starts with `section`, in the order of the tree."""
    return [entry for entry in _entries(group_of(Config), (), PREFIX) if entry.key.startswith(section)]


def _entries(group: Group, at: Path, variable: str | None) -> Iterator[Entry]:
    for name, member in group.members.items():
        path = (*at, name)
        if isinstance(member, Group):
            yield Entry(".".join(path), len(path), "object", "", "", member.description)
            yield from _entries(member, path, variable)
            continue
        yield Entry(
            key=".".join(path),
            depth=len(path),
            type=member.type.value,
            default=_default(member),
            variable="" if variable is None else _variable(path),
            description=member.description,
        )
        if member.item is not None:
            yield from _entries(member.item, _item_path(path), variable if path in NAMED_LISTS else None)


def _item_path(path: Path) -> Path:
    return (*path[:-1], f"{path[-1]}[]")


def _variable(path: Path) -> str:
    return PREFIX + variable_suffix(path).replace("[]", "_<NAME>")


def _default(key: Key) -> str:
    if not key.default:
        return ""
    if key.type is ValueType.DURATION:
        return format_duration(key.default)
    return " ".join(key.default) if key.type is ValueType.STRINGS else str(key.default)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _show_page(section: str, port: int) -> None:
    handler = type("Handler", (PageHandler,), {"section": section})
    try:
        page_server = ThreadingHTTPServer(("", port), handler)
    except (OSError, OverflowError) as error:
        fail(f"Failed to start server: {error}")
    with page_server:
        print(f"showing the configuration reference on http://localhost:{port}", flush=True)
        if not _open_browser(port):
            typer.echo("could not open a browser", err=True)
        page_server.serve_forever()


def _open_browser(port: int) -> bool:
    try:
        return webbrowser.open(f"http://localhost:{port}")
    except webbrowser.Error:
        return False


class PageHandler(BaseHTTPRequestHandler):
    """Serves the page at every path; `?simple=1` omits the styles."""

    section = ""

    def do_GET(self) -> None:
        """Send the page."""
        simple = parse_qs(urlsplit(self.path).query).get("simple") == ["1"]
        body = page(self.section, simple).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""


STYLE = """<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
dt { margin-top: 1rem; font-weight: 600; } dd { margin: 0 0 0 1.5rem; } small { color: #777; }
@media (prefers-color-scheme: dark) { body { background: #181a1b; color: #ddd; } small { color: #999; } }
</style>"""


def page(section: str, simple: bool) -> str:
    """Return the reference as an HTML page."""
    items = "\n".join(_html_entry(entry) for entry in entries(section))
    head = f'<meta charset="utf-8"><title>Fanjet configuration</title>{"" if simple else STYLE}'
    body = f"<h1>Configuration</h1>\n<dl>{items}</dl>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _html_entry(entry: Entry) -> str:
    facts = " · ".join(f"{label}: <code>{html.escape(value)}</code>" for label, value in entry.facts())
    key, description = html.escape(entry.key), html.escape(_sentence(entry.description))
    return f'<dt id="{key}"><code>{key}</code></dt><dd>{description}<br><small>{facts}</small></dd>'
