"""What sections are made of: the frozen model, its value types, and keys with their descriptions."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Kind(Enum):
    """Types of the configuration that Python's types do not distinguish (04 §2)."""

    DURATION = "duration"
    PEM = "pem"
    INT32 = "int32"
    UINT32 = "uint32"
    KEY_VALUES = "key/value list"


Duration = Annotated[float, Kind.DURATION]
"""Seconds. Written as a unit string (`1h30m`) in every source, see `fanjet.config.duration`."""

Pem = Annotated[str, Kind.PEM]
"""PEM text, its base64 form, or the path of a file with it; resolved when it is used."""

Int32 = Annotated[int, Kind.INT32]
Uint32 = Annotated[int, Kind.UINT32]
StringMap = Mapping[str, str]
KeyValues = Annotated[Mapping[str, str], Kind.KEY_VALUES]
"""In the order given; keys keep their case, so a file has to write them as a list (04 §2.3)."""


class Section(BaseModel):
    """A part of the configuration tree. Frozen; keys it does not have are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def option(default: T, description: str) -> T:
    """Declare a key with the default that its zero value means (04 §1.3) and its line of the reference."""
    field: Any = Field(default, description=description)
    return field  # type: ignore[no-any-return]
