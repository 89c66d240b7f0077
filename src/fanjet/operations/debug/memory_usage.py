"""Memory usage by object type and by allocating line."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from typing import Final

TYPES_SHOWN: Final = 100
LINES_SHOWN: Final = 100


def object_counts() -> str:
    """Objects tracked by the garbage collector, by type.

    They are listed with their shallow size in bytes.

    Frozen objects (this server freezes long-lived ones) are only counted.
    """
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for each in gc.get_objects():
        name = f"{type(each).__module__}.{type(each).__qualname__}"
        numbers[name] += 1
        sizes[name] += sys.getsizeof(each)
    lines = [f"{number:>10} {sizes[name]:>12} {name}\n" for name, number in numbers.most_common(TYPES_SHOWN)]
    collections = "".join(f"generation {index}: {stats}\n" for index, stats in enumerate(gc.get_stats()))
    return f"frozen: {gc.get_freeze_count()}\n{collections}\n{'number':>10} {'bytes':>12} type\n{''.join(lines)}"


def allocations(*, stop: bool) -> str:
    """Memory by allocating line since the first call, which starts tracing.

    Tracing slows the process by about a third until it is stopped.
    """
    if stop:
        tracemalloc.stop()
        return "stopped\n"
    if not tracemalloc.is_tracing():
        tracemalloc.start()
        return "started: repeat the request for the allocations since now\n"
    statistics = tracemalloc.take_snapshot().statistics("lineno")
    current, peak = tracemalloc.get_traced_memory()
    lines = "".join(f"{each.size:>12} {each.count:>10} {each.traceback}\n" for each in statistics[:LINES_SHOWN])
    return f"{current} bytes now, {peak} at most\n\n{'bytes':>12} {'number':>10} line\n{lines}"
