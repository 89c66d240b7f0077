"""Masking of client frames, in C if `websockets` has its extension.

RFC 6455 section 5.3.
"""

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled extension
    from websockets.utils import apply_mask

__all__ = ["apply_mask"]
