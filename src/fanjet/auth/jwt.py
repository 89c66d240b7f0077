"""Parses the compact form of a JSON web token (03 §6.2). Verifies nothing."""

from binascii import Error, a2b_base64
from functools import lru_cache
from typing import Final, TypeVar

from msgspec import DecodeError, Struct

from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.scan import MalformedJSON

from .errors import TokenInvalid

D = TypeVar("D", bound=Document)

# Maps the URL-safe alphabet to the standard one, and other characters to one that strict decoding refuses.
_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_LINE_BREAKS: Final = b"\r\n"
_PADDING: Final = (b"", b"===", b"==", b"=")

CACHED_HEADER_LENGTH: Final = 200
"""Longer headers are not cached: anybody can send tokens."""


class Token(Struct, frozen=True, gc=False):
    """A parsed token. `signed`: the bytes that `signature` covers."""

    algorithm: str
    key_id: str
    claims: bytes
    signed: bytes
    signature: bytes


class Header(Document, frozen=True):
    """The header fields in use; `typ` and `cty` only have to be strings."""

    alg: str = ""
    kid: str = ""
    typ: str = ""
    cty: str = ""


_decode_header: Final = DocumentDecoder(Header)


def parse_token(text: str) -> Token:
    """Parse a token. Raises `TokenInvalid`."""
    token = text.encode()
    parts = token.split(b".", 3)
    if len(parts) != 3 or not token.startswith(b"eyJ"):
        raise TokenInvalid("not three parts of a token")
    header_part, claims, signature = parts
    header = _cached_header(header_part) if len(header_part) <= CACHED_HEADER_LENGTH else _read_header(header_part)
    return Token(header.alg, header.kid, decode_part(claims), token[: -len(signature) - 1], decode_part(signature))


def decode_part(part: bytes) -> bytes:
    """Decode unpadded base64url.

    Line breaks are skipped, unused trailing bits ignored. Raises `TokenInvalid`.
    """
    standard = part.translate(_STANDARD)
    try:
        return a2b_base64(standard + _PADDING[len(standard) & 3], strict_mode=True)
    except Error as error:
        unbroken = part.translate(None, _LINE_BREAKS)  # only after a failure: deleting bytes triples the time
        if unbroken != part:
            return decode_part(unbroken)
        raise TokenInvalid(str(error)) from None


def _read_header(part: bytes) -> Header:
    return decode_json(decode_part(part), _decode_header)


_cached_header: Final = lru_cache(maxsize=128)(_read_header)


def decode_json(document: bytes, decoder: DocumentDecoder[D]) -> D:
    """Decode the JSON of a part.

    Each byte that is not UTF-8 becomes U+FFFD. Raises `TokenInvalid`.
    """
    if not document.isascii():
        document = _repair(document)
    try:
        return decoder.decode_exact(document)
    except (DecodeError, RecursionError) as decode_error:
        try:
            return decoder.decode_fallback(document, decode_error)
        except MalformedJSON as error:
            raise TokenInvalid(str(error)) from None


def _repair(document: bytes) -> bytes:
    try:
        document.decode()
    except UnicodeDecodeError:
        return without_half_surrogates(document.decode(errors="surrogateescape")).encode()
    return document


def without_half_surrogates(text: str) -> str:
    """Replace each unpaired surrogate by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
