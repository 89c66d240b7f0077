"""Maps claims of connection tokens to connection meta and labels (03 §14.4)."""

from collections.abc import Mapping

from msgspec import Raw
from msgspec.json import encode

from fanjet.config.claim_path import parse_claim_path

from .claim_paths import find_claim, members
from .claims import read_text

Paths = dict[str, tuple[str, ...]]


class ClaimMapping:
    """Claim paths by the keys of meta and labels that they fill.

    The paths must be valid.
    """

    def __init__(self, meta: Mapping[str, str], labels: Mapping[str, str]) -> None:
        self._meta: Paths = {key: parse_claim_path(path) for key, path in meta.items()}
        self._labels: Paths = {key: parse_claim_path(path) for key, path in labels.items()}

    def meta(self, document: bytes, claim: bytes) -> bytes:
        """Return the claim `meta` with the mapped values added.

        The mapped values replace it if it is no object.
        """
        found = {key: Raw(value) for key, value in _find_all(self._meta, document).items()}
        return encode(members(claim) | found) if found else claim

    def labels(self, document: bytes, claim: dict[str, str] | None) -> dict[str, str] | None:
        """Return the claim `labels` with the mapped values added as text.

        Numbers become plain decimals; arrays and objects stay as written.
        """
        values = _find_all(self._labels, document)
        found = {key: read_text(Raw(value)) for key, value in values.items() if value != b"null"}
        return (claim or {}) | found if found else claim


def claim_mapping(meta: Mapping[str, str], labels: Mapping[str, str]) -> ClaimMapping | None:
    """Build the mapping; None if nothing is configured."""
    return ClaimMapping(meta, labels) if meta or labels else None


def _find_all(paths: Paths, document: bytes) -> dict[str, bytes]:
    found = {key: find_claim(document, path) for key, path in paths.items()}
    return {key: value for key, value in found.items() if value is not None}
