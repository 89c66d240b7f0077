"""Formats results as a Markdown table and as JSON."""

import math
import platform
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from .measurement.figures import Figure, Unit
from .runner import SIDES, Result
from .scenarios import KERNEL

_DASH: Final = "–"
_CELL: Final = 100


def table(results: Sequence[Result]) -> str:
    """Return a table of all figures.

    It shows the figures per server, the ratio of server to peer, and the multiple of the kernel's `send()`.
    """
    compared = any(len(result.outcomes) > 1 for result in results)
    head = ["scenario", "figure", SIDES[0], *((SIDES[1], "ratio") if compared else ()), "× send()"]
    send = _send_cost(results)
    rows = [row for result in results for row in _rows(result, send, compared)]
    return _markdown(head, rows)


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return all figures, round by round, and the machine."""
    return {
        "machine": {"platform": platform.platform(), "python": sys.version},
        "results": [
            {
                "scenario": result.scenario.name,
                "summary": result.scenario.summary,
                "outcomes": [
                    {
                        "side": side,
                        "error": outcome.error,
                        "unavailable": outcome.unavailable,
                        "rounds": [[_figure_json(figure) for figure in figures] for figures in outcome.rounds],
                    }
                    for side, outcome in zip(SIDES, result.outcomes, strict=False)
                ],
            }
            for result in results
        ],
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    value = None if math.isnan(figure.value) else figure.value
    return {"name": figure.name, "value": value, "unit": figure.unit.value}


def _send_cost(results: Sequence[Result]) -> float:
    """Return µs per paced `send()`, NaN when it was not measured."""
    for result in results:
        if result.scenario is KERNEL and not result.outcomes[0].error:
            return result.outcomes[0].figures()[0].value
    return math.nan


def _rows(result: Result, send: float, compared: bool) -> Iterator[list[str]]:
    name = result.scenario.name
    for side, outcome in zip(SIDES, result.outcomes, strict=False):
        if outcome.error:
            yield [name, f"{side} failed: {_shortened(outcome.error)}", *[_DASH] * (4 if compared else 2)]
        if outcome.unavailable:
            yield [name, f"{side}: not available: {_shortened(outcome.unavailable)}", *[_DASH] * (4 if compared else 2)]
    by_side = [{figure.name: figure for figure in outcome.figures()} for outcome in result.outcomes]
    for figure in next((outcome.figures() for outcome in result.outcomes if outcome.rounds), []):
        ours, peers = by_side[0].get(figure.name), by_side[1].get(figure.name) if len(by_side) > 1 else None
        comparison = [_value(peers), _ratio(ours, peers)] if compared else []
        yield [name, figure.name, _value(ours), *comparison, _multiple(ours, send)]


def _shortened(error: str) -> str:
    """Return the first and last line for a table cell.

    In a traceback these are the informative ones.
    """
    lines = error.splitlines()
    text = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"
    return text[:_CELL].replace("|", "/")


def _ratio(ours: Figure | None, peers: Figure | None) -> str:
    if ours is None or peers is None or not peers.value:
        return _DASH
    return _number(ours.value / peers.value, 2)


def _multiple(figure: Figure | None, send: float) -> str:
    if figure is None or figure.unit is not Unit.MICROSECONDS:
        return _DASH
    return _number(figure.value / send, 1)


def _value(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.value):
        return _DASH
    value, unit = figure.value, figure.unit
    if unit is Unit.COUNT:
        return f"{value:.0f}"
    if unit is Unit.BYTES:
        return f"{value / 1000:.1f} KB"
    if unit is Unit.PER_SECOND:
        return _rate(value)
    return f"{_number(value, 1 if value >= 10 else 2)} {unit.value}"


def _rate(value: float) -> str:
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}/s"
    return f"{value:.0f}/s"


def _number(value: float, digits: int) -> str:
    return _DASH if math.isnan(value) else f"{value:.{digits}f}"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(f"| {' | '.join(map(_padded, line, widths))} |" for line in lines)


def _padded(cell: str, width: int) -> str:
    return cell.ljust(width)
