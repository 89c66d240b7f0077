"""Parses the header `grpc-timeout`."""

from __future__ import annotations

from typing import Final

from .status import GrpcError, StatusCode

_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MIN_LENGTH: Final = 2
_MAX_LENGTH: Final = 9


def decode_timeout(value: str) -> float:
    """Return the timeout in seconds. Raises `GrpcError`."""
    digits, unit = value[:-1], _UNITS.get(value[-1:])
    if len(value) < _MIN_LENGTH:
        raise _malformed(f'transport: timeout string is too short: "{value}"')
    if len(value) > _MAX_LENGTH:
        raise _malformed(f'transport: timeout string is too long: "{value}"')
    if unit is None:
        raise _malformed(f'transport: timeout unit is not recognized: "{value}"')
    if not (digits.isascii() and digits.isdigit()):
        raise _malformed(f'strconv.ParseUint: parsing "{digits}": invalid syntax')
    return int(digits) * unit


def _malformed(reason: str) -> GrpcError:
    return GrpcError(StatusCode.INTERNAL, f"malformed grpc-timeout: {reason}")
