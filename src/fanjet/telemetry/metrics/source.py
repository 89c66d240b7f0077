"""Where metrics are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .registry import Metric


class Source(Protocol):
    """The registry of a process, or what stands for those of several."""

    @property
    def namespace(self) -> str:
        """What the names of most metrics begin with."""

    @property
    def native_histograms(self) -> bool:
        """Whether histograms take the place of summaries."""

    def read(self) -> Iterable[Metric]:
        """Every metric of which there is something to read, by name."""
