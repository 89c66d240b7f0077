"""Rules about the source that neither types nor import layers express."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import fanjet

SOURCE = Path(fanjet.__file__).parent

DECODERS_OF_JSON = {
    "protocol/json_encoding/document_decoder.py": "the decoder of foreign documents",
    "protocol/json_encoding/members_decoder.py": "its step for keys in another letter case",
    "protocol/json_encoding/scan.py": "finds where a value ends; no key is looked at",
    "protocol/json_encoding/lenient_decoder.py": "unescapes single string literals",
    "protocol/emulation.py": "decodes a single string",
    "auth/claims.py": "decodes values of claims: strings and lists of strings",
    "admin/tracing/connection_trace.py": "reads messages that this server wrote",
    "admin/tracing/remote_traces.py": "reads what other nodes of this server wrote",
    "admin/console/node_surveys.py": "reads what other nodes of this server wrote",
    "admin/tracing/endpoint.py": "reads requests of the console's own pages",
    "admin/console/dev_tokens.py": "shows claims as they are written, in development",
    "admin/oidc/code_flow.py": "reads what this server sealed",
    "admin/oidc/identity.py": "hands all claims to an expression, under the names that they have",
    "channels/expressions.py": "hands the connection's meta to an expression",
    "net/acme/authority.py": "reads documents of a certificate authority (RFC 8555); net does not know protocol",
    "config/load.py": "reads what it has just written",
    "config/sources/strict.py": "configuration in environment variables (04 \u00a71.5.3)",
    "api/results.py": "gives an embedding program its own data",
    "events/event.py": "gives an embedding program the payload of an event",
    "embed/registration.py": "gives an embedding program the payload of a call",
    "cli/publish.py": "checks a payload that is typed in",
    "cli/tail.py": "reads messages of this server",
    "cli/remote.py": "reads answers of this server",
    "testing.py": "reads messages of this server",
    "workers/role.py": "reads what the supervisor wrote",
}
"""Modules that decode JSON by themselves, and why none of it is a foreign document whose keys have to match."""


def decodes_json(node: ast.AST) -> bool:
    """Whether it names a decoder of the libraries: `msgspec.json.decode`, `Decoder`, `json.loads` and the like."""
    match node:
        case ast.ImportFrom(module="msgspec.json" | "json", names=names):
            return any(name.name in ("Decoder", "decode", "load", "loads", "JSONDecoder") for name in names)
        case ast.Attribute(value=ast.Name(id="json"), attr="load" | "loads" | "JSONDecoder"):
            return True
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="msgspec"), attr="json"), attr="Decoder" | "decode"):
            return True
    return False


def test_foreign_json_is_decoded_in_one_place() -> None:
    """Elsewhere a key in another letter case would be ignored, and a refusal be read as permission."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith("bench/") and any(map(decodes_json, ast.walk(ast.parse(path.read_text())))):
            found.add(name)
    assert found == DECODERS_OF_JSON.keys()


TABLED = {
    "Command",
    "ConnectRequest",
    "EmulationRequest",
    "method.request_type",
    "BatchRequest",
    "LegacyCommand",
    "response_type",
    "Header",
    "ConnectionClaims",
    "SubscriptionClaims",
    "LabelsClaim",
    "CapsClaim",
    "AllowClaim",
    "_Set",
    "_Members",
    "_Elements",
    "_Claims",
    "ProviderMetadata",
    "_Tokens",
}
"""Types of foreign documents. Each has rows in `tests/acceptance/test_letter_case.py`, but for those of the console's
logins (`tests/admin/test_oidc.py`), of claims by path, whose names are the operator's, and of the paid edition's claims
(`tests/protocol/json_encoding/test_document_decoder.py`)."""


def test_every_kind_of_foreign_document_has_rows() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="DocumentDecoder"), args=[argument]):
                    found.add(ast.unparse(argument))
    assert found == TABLED


METAPHORS = frozenset(
    """
    ear hear hears heard hearing tidings bell bells seat seats tell tells told telling ask asks asked asker welcome
    farewell door doorway gate desk neighbour neighbours nobody somebody everybody everywhere far keeper patience stock
    testator astray whoever
    """.split()  # noqa: SIM905 (a list of a word a line is no easier to read)
)
"""Words that stand for something else. `docs/glossary.md` has the terms."""
MOST_MODULES = 26
"""Modules in one package; more get sub-packages."""


def names_of(node: ast.AST) -> list[str]:
    """The names that a node defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
    return []


def sources() -> list[Path]:
    return [path for path in SOURCE.rglob("*.py") if "proto" not in path.parts]


def test_names_are_no_metaphors() -> None:
    found = {
        f"{path.relative_to(SOURCE)}: {name}"
        for path in sources()
        for name in (path.stem, *(name for node in ast.walk(ast.parse(path.read_text())) for name in names_of(node)))
        if METAPHORS & {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    }
    assert not found


def test_packages_stay_small() -> None:
    sizes = {folder: len(list(folder.glob("*.py"))) - 1 for folder in {path.parent for path in sources()}}
    assert not {folder: size for folder, size in sizes.items() if size > MOST_MODULES}
