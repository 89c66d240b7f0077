"""JSON documents whose field names are written in several ways, all of which mean the same (01 §2.2).

A template marks field names as `<name>`, and one member as `«name: value | decoy»`, whose decoy is what another member
of the same name holds where the document has two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Name = Callable[[str], str]

_NAME = re.compile(r"<(\w+)>")
_MEMBER = re.compile(r"«(\w+): (.*?) \| (.*?)»")


@dataclass(frozen=True)
class Spelling:
    """How names are written, and how often the marked member occurs. `same_as` names the spelling in exact letter case
    that has to be understood alike."""

    id: str
    name: Name
    member: str
    same_as: str = "exact"

    def write(self, template: str) -> str:
        """The document."""

        def member(found: re.Match[str]) -> str:
            name, value, decoy = found.groups()
            written = {"exact": name, "cased": self.name(name), "upper": name.upper(), "value": value, "decoy": decoy}
            return self.member.format_map(written)

        return _NAME.sub(lambda found: self.name(found[1]), _MEMBER.sub(member, template))


def _exact(name: str) -> str:
    return name


def _first_upper(name: str) -> str:
    return name[0].upper() + name[1:]


def _mixed(name: str) -> str:
    return "".join(letter.upper() if at % 2 else letter for at, letter in enumerate(name))


def _escaped(name: str) -> str:
    return f"\\u{ord(name[0].upper()):04X}{name[1:]}"


def _escaped_exact(name: str) -> str:
    return name[:-1] + f"\\u{ord(name[-1]):04x}"


def _folding(name: str) -> str:
    return name.upper().replace("S", "\u017f").replace("K", "\u212a")


_ONE = '"{cased}":{value}'
SPELLINGS = [
    Spelling("exact", _exact, _ONE),
    Spelling("first-upper", _first_upper, _ONE),
    Spelling("all-upper", str.upper, _ONE),
    Spelling("mixed", _mixed, _ONE),
    Spelling("escaped", _escaped, _ONE),
    Spelling("escaped-exact", _escaped_exact, _ONE),
    Spelling("folding-letters", _folding, _ONE),
    Spelling("decoy-exact-first", _exact, '"{exact}":{decoy},"{upper}":{value}'),
    Spelling("decoy-cased-first", _exact, '"{upper}":{decoy},"{exact}":{value}'),
    Spelling("two-cases", _first_upper, '"{upper}":{decoy},"{cased}":{value}'),
    Spelling("exact-null-last", _exact, '"{exact}":{value},"{exact}":null', "exact-null-last"),
    Spelling("cased-null-last", _exact, '"{exact}":{value},"{upper}":null', "exact-null-last"),
    Spelling("exact-null-after-cased", _exact, '"{upper}":{value},"{exact}":null', "exact-null-last"),
    Spelling("all-cased-null-last", _first_upper, '"{upper}":{value},"{cased}":null', "exact-null-last"),
]
