"""Metrics: cheap counting cells and the exporters that read them (10 B, C, E).

A cell is bound once, when its owner is created: no label lookup per message.
"""

from .cells import Counter, Flow, Gauge, Histogram, Timing
from .registry import Family, Registry

__all__ = ["Counter", "Family", "Flow", "Gauge", "Histogram", "Registry", "Timing"]
