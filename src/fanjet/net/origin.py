"""Which origins may use the server from a browser (02 section 3.5)."""

from collections.abc import Callable, Sequence

from .glob import GlobError, compile_glob

OriginPredicate = Callable[[bytes | None], bool]
"""Takes the value of an `Origin` header, None where there is none."""


def origin_predicate(patterns: Sequence[str]) -> OriginPredicate:
    """Return the predicate for `client.allowed_origins`. Raises `GlobError` that names a malformed pattern.

    A request without an origin does not come from a browser's page and is always allowed. Without patterns no origin is
    allowed, not even the server's own. Only the origin is lower-cased, never the pattern.
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
