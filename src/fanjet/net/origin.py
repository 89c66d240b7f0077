"""Checks the `Origin` of browser requests (02 section 3.5)."""

from collections.abc import Callable, Sequence

from .glob import GlobError, compile_glob

OriginPredicate = Callable[[bytes | None], bool]
"""Called with the value of the `Origin` header, None if absent."""


def origin_predicate(patterns: Sequence[str]) -> OriginPredicate:
    """Return the predicate for `client.allowed_origins`.

    Raises `GlobError` that names a malformed pattern.

    A request without an origin was not made by a web page and is always allowed. Without patterns no origin is allowed,
    including the server's own. Only the origin is lower-cased, never the pattern.
    """
    if list(patterns) == ["*"]:
        return lambda _: True
    matchers = [_compile(pattern) for pattern in patterns]

    def allowed(origin: bytes | None) -> bool:
        if not origin:
            return True
        text = origin.decode("utf-8", "replace").lower()
        return any(matches(text) for matches in matchers)

    return allowed


def _compile(pattern: str) -> Callable[[str], bool]:
    try:
        return compile_glob(pattern)
    except GlobError as error:
        raise GlobError(f"malformed origin pattern {pattern!r}: {error}") from error
