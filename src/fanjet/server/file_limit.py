"""How many files and connections the process may have open."""

from __future__ import annotations

import contextlib
from typing import Final

LOW: Final = 10_000
"""Below this, operators are warned."""


def raise_limit() -> int | None:
    """Allow as many open files as the hard limit does; return the limit, or None where there is none."""
    try:
        import resource  # noqa: PLC0415 (not on every platform)
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses an unlimited number
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return None if soft == resource.RLIM_INFINITY else soft
