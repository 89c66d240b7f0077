"""The limit of open files, and so of connections, of the process."""

from __future__ import annotations

import contextlib
from typing import Final

LOW_LIMIT: Final = 10_000
"""Operators are warned of a lower limit."""


def raise_file_limit() -> int | None:
    """Raise the limit of open files to the hard limit and return it.

    Returns None where there is none.
    """
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
