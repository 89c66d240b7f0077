"""Metrics: cells that cost next to nothing to count with, and what reads them (10 B, C, E).

Cells are bound once, when what they count for is made: no label is looked up per message.
"""

from .cells import Counter, Flow, Gauge, Histogram, Timing
from .registry import Family, Registry

__all__ = ["Counter", "Family", "Flow", "Gauge", "Histogram", "Registry", "Timing"]
