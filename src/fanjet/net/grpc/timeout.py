"""The header `grpc-timeout`."""

from __future__ import annotations

from typing import Final

from .status import GrpcError, StatusCode

_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MAX_LENGTH: Final = 9


def decode_timeout(value: bytes) -> float:
    """Seconds. Raises `GrpcError`."""
    digits, unit = value[:-1], _UNITS.get(value[-1:])
    if not digits or len(value) > _MAX_LENGTH or unit is None or not digits.isdigit():
        shown = value.decode("latin-1")
        raise GrpcError(StatusCode.INTERNAL, f'malformed grpc-timeout: "{shown}"')
    return int(digits) * unit
