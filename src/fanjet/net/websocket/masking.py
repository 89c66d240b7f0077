"""The masking of client frames (RFC 6455 section 5.3), in C wherever `websockets` came with its extension."""

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled extension
    from websockets.utils import apply_mask

__all__ = ["apply_mask"]
