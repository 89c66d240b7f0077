"""Permissions that a connection brings along (03 §14.1)."""

from .json_encoding.document import Document


class Capability(Document, frozen=True):
    """An entry of `caps`: what is allowed on channels. Its texts are as they were written; unknown ones allow nothing.

    `match` says how `channels` are compared: exactly when empty, or `wildcard`, `regex`, `doublestar`. `allow` has the
    codes `sub`, `pub`, `hst`, `prs`.
    """

    channels: list[str] = []
    match: str = ""
    allow: list[str] = []
