"""What memory is used for."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from typing import Final

TYPES_SHOWN: Final = 100
LINES_SHOWN: Final = 100


def census() -> str:
    """Objects that the collector knows of, by type, with their own size in bytes.

    Those that were frozen, as this server does with what lives long, are counted by number only.
    """
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for found in gc.get_objects():
        name = f"{type(found).__module__}.{type(found).__qualname__}"
        numbers[name] += 1
        sizes[name] += sys.getsizeof(found)
    lines = [f"{number:>10} {sizes[name]:>12} {name}\n" for name, number in numbers.most_common(TYPES_SHOWN)]
    collections = "".join(f"generation {index}: {stats}\n" for index, stats in enumerate(gc.get_stats()))
    return f"frozen: {gc.get_freeze_count()}\n{collections}\n{'number':>10} {'bytes':>12} type\n{''.join(lines)}"


def allocations(*, stop: bool) -> str:
    """Memory by the line that allocated it, since the first time that this was asked. Watching costs about a third of
    the speed, so that it has to be ended."""
    if stop:
        tracemalloc.stop()
        return "stopped\n"
    if not tracemalloc.is_tracing():
        tracemalloc.start()
        return "started: ask again for what has been allocated since\n"
    statistics = tracemalloc.take_snapshot().statistics("lineno")
    current, peak = tracemalloc.get_traced_memory()
    lines = "".join(f"{each.size:>12} {each.count:>10} {each.traceback}\n" for each in statistics[:LINES_SHOWN])
    return f"{current} bytes now, {peak} at most\n\n{'bytes':>12} {'number':>10} line\n{lines}"
