"""Prometheus exposition in the text format, version 0.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .registry import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .registry import Labels, Metric

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

_in_label: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_in_help: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


def page_of(metrics: Iterable[Metric]) -> bytes:
    """All metrics as text.

    The Prometheus client library cannot be used: it forces the suffix `_total` on counters.
    """
    lines: list[str] = []
    for metric in metrics:
        name = metric.name
        lines.append(f"# HELP {name} {metric.help.translate(_in_help)}\n# TYPE {name} {metric.kind}\n")
        lines += [
            f"{name}{sample.suffix}{_braced(sample.labels)} {number(sample.value)}\n" for sample in metric.samples
        ]
    return "".join(lines).encode()


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_in_label)}"' for name, value in labels) + "}"
