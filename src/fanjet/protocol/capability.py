"""Permissions granted to a connection (03 §14.1)."""

from .json_encoding.document import Document


class Capability(Document, frozen=True):
    """An entry of `caps`: permissions on channels.

    Unknown texts are kept and grant nothing.

    `match`: how `channels` are matched, exactly if empty, or by `wildcard`, `regex`, `doublestar`. `allow`: the codes
    `sub`, `pub`, `hst`, `prs`.
    """

    channels: list[str] = []
    match: str = ""
    allow: list[str] = []
