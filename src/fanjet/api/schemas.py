"""JSON schemas of the API's types.

msgspec's own generator does not support payloads, which are any JSON.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import inspect as types

_PLAIN: Final[dict[type[types.Type], str]] = {
    types.StrType: "string",
    types.BoolType: "boolean",
    types.FloatType: "number",
}


class Schemas:
    """Collects the schemas of structs by class name."""

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}

    def of(self, kind: type) -> dict[str, Any]:
        """Return the schema of a type, with references to structs."""
        return self._of(types.type_info(kind))

    def _of(self, info: types.Type) -> dict[str, Any]:
        match info:
            case types.StructType():
                return self._struct(info)
            case types.ListType() | types.VarTupleType() | types.CollectionType():
                return {"type": "array", "items": self._of(info.item_type)}
            case types.DictType():
                return {"type": "object", "additionalProperties": self._of(info.value_type)}
            case types.IntType():
                return _integer(info)
            case types.UnionType():
                return self._of(next(each for each in info.types if not isinstance(each, types.NoneType)))
            case types.RawType() | types.CustomType() | types.AnyType():
                return {"description": "any JSON"}
        return {"type": _PLAIN[type(info)]}

    def _struct(self, info: types.StructType) -> dict[str, Any]:
        name = info.cls.__name__
        if name not in self.by_name:
            described = self.by_name[name] = {"type": "object"}
            described["properties"] = {field.encode_name: self._of(field.type) for field in info.fields}
        return {"$ref": f"#/components/schemas/{name}"}


def _integer(info: types.IntType) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    if info.ge is not None:
        schema["minimum"] = info.ge
    if info.le is not None:
        schema["maximum"] = info.le
    return schema
