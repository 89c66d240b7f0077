"""Claims of tokens as JSON documents, and readers of their values.

See 03 §6.5 to §6.8.
"""

import json
import re
from decimal import Decimal
from math import inf, isinf
from typing import Final, TypeVar

from msgspec import Raw, Struct

from fanjet.protocol.base64_payload import decode_base64
from fanjet.protocol.capability import Capability
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.messages import NO_PAYLOAD, FilterNode, Int64

from .errors import TokenInvalid
from .jwt import decode_json, without_half_surrogates

G = TypeVar("G", bound=Document)

_NULL: Final = b"null"
_number: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_integer: Final = re.compile(rb"-?[0-9]+")
_USUAL_DIGITS: Final = 16
END_OF_TIME: Final = 2**63 - 62_135_596_800
"""Unix seconds that overflow the reference's clock: it takes them for a time far in the past."""


class BoolValue(Document, frozen=True):
    """An overridden option; `{}` sets it to false."""

    value: bool = False


class OverrideClaims(Document, frozen=True):
    """Namespace options that the token replaces."""

    presence: BoolValue | None = None
    join_leave: BoolValue | None = None
    force_push_join_leave: BoolValue | None = None
    force_recovery: BoolValue | None = None
    force_positioning: BoolValue | None = None


class RegisteredClaims(Document, frozen=True):
    """Claims that both kinds of tokens share.

    Claims of several JSON types stay raw until they are read below.
    """

    sub: str = ""
    iss: str = ""
    jti: str = ""
    aud: Raw = NO_PAYLOAD
    exp: Raw = NO_PAYLOAD
    nbf: Raw = NO_PAYLOAD
    iat: Raw = NO_PAYLOAD
    expire_at: Int64 | None = None
    channel: str = ""
    info: Raw = NO_PAYLOAD
    b64info: str = ""


class SubClaims(Document, frozen=True):
    """One entry of `subs`."""

    info: Raw = NO_PAYLOAD
    b64info: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    override: OverrideClaims | None = None
    server_tags_filter: FilterNode | None = None


class ConnectionClaims(RegisteredClaims, frozen=True):
    """Claims of a connection token."""

    channels: list[str] = []
    subs: dict[str, SubClaims] = {}
    meta: Raw = NO_PAYLOAD
    labels: Raw = NO_PAYLOAD
    caps: Raw = NO_PAYLOAD


class SubscriptionClaims(RegisteredClaims, frozen=True):
    """Claims of a subscription token."""

    client: str = ""
    data: Raw = NO_PAYLOAD
    b64data: str = ""
    override: OverrideClaims | None = None
    allow: Raw = NO_PAYLOAD
    server_tags_filter: FilterNode | None = None


class LabelsClaim(Document, frozen=True):
    """The expected type of the claim `labels`."""

    labels: dict[str, str] | None = None


class CapsClaim(Document, frozen=True):
    """The expected type of the claim `caps`."""

    caps: list[Capability] | None = None


class AllowClaim(Document, frozen=True):
    """The expected type of the claim `allow`."""

    allow: list[str] | None = None


class ServerSubscription(Struct, frozen=True):
    """A server-side subscription granted by a connection token.

    `override` None keeps the namespace's options. `server_tags_filter` is not validated.
    """

    info: bytes = b""
    data: bytes = b""
    override: OverrideClaims | None = None
    server_tags_filter: FilterNode | None = None


def read_optional_claim(document: bytes, claim: Raw, decoder: DocumentDecoder[G]) -> G | None:
    """Read a claim that only the paid edition of the reference defines.

    Returns None if it is absent. A value of another type is an application's own claim of the same name. It is ignored:
    the claim could only have granted more.
    """
    if not claim:
        return None
    try:
        return decode_json(document, decoder)
    except TokenInvalid:
        return None


def read_time(claim: Raw) -> float | None:
    """Read Unix seconds, a number or a string with one; None if the claim is absent.

    Raises `TokenInvalid`.
    """
    if not claim:
        return None
    text = bytes(claim)
    if text == _NULL:
        return None
    if text.isdigit() and len(text) < _USUAL_DIGITS:
        return int(text)
    if text.startswith(b'"'):
        text = read_string(text).encode()
    if not _number.fullmatch(text):
        raise TokenInvalid("not a number of seconds")
    seconds = float(text)
    if seconds in {inf, -inf}:
        raise TokenInvalid("no such number of seconds")
    return seconds if seconds < END_OF_TIME else -inf


def read_audience(claim: Raw) -> tuple[str, ...]:
    """Read a string or an array of strings; empty if the claim is absent.

    Raises `TokenInvalid`, also for `null`.
    """
    if not claim:
        return ()
    text = bytes(claim)
    try:
        value = json.loads(text)
    except RecursionError:
        value = None
    audience = [value] if isinstance(value, str) else value
    if not isinstance(audience, list) or not all(isinstance(one, str) for one in audience):
        raise TokenInvalid("aud is neither a string nor an array of strings")
    return tuple(without_half_surrogates(one) for one in audience)


def read_payload(claim: Raw, encoded: str) -> bytes:
    """Return the bytes of a payload.

    They are the standard base64 if given, else the JSON as written. Raises `TokenInvalid`.
    """
    if not encoded:
        return bytes(claim)
    try:
        return decode_base64(encoded)
    except ValueError as error:
        raise TokenInvalid(str(error)) from None


def read_text(claim: Raw) -> str:
    """Convert any JSON value to text, for a user ID (03 §6.10) or a label."""
    text = bytes(claim)
    if not text or text == _NULL:
        return ""
    if text.startswith(b'"'):
        return read_string(text)
    if _number.fullmatch(text) and not _integer.fullmatch(text):
        return _plain_decimal(float(text))
    return text.decode()


def read_string(text: bytes) -> str:
    """Decode a valid JSON string literal."""
    value: str = json.loads(text)
    return without_half_surrogates(value)


def _plain_decimal(number: float) -> str:
    """Format a number with the fewest digits that identify it.

    The text has no exponent; an overflow is infinite.
    """
    if isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
