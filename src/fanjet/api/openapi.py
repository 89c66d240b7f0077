"""OpenAPI document of the server API, generated from its methods."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from . import results
from .methods import METHODS
from .requests import BatchRequest
from .schemas import Schemas

if TYPE_CHECKING:
    from .methods import Method

_SCHEMES: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "authorization": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`apikey`, a space, and the key",
    },
}


def openapi_document(path: str, version: str) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document. `path`: the prefix of the API."""
    schemas = Schemas()
    base = path.rstrip("/")
    error = schemas.of(results.ErrorResult)
    answers = {name: schemas.of(_result_type(method)) for name, method in METHODS.items()}
    paths = {
        f"{base}/{name}": _operation(
            name,
            inspect.getdoc(method.run) or "",
            schemas.of(method.request_type),
            _object(result=answers[name], error=error),
        )
        for name, method in METHODS.items()
    }
    replies = {"type": "array", "items": _object(error=error, **answers)}
    paths[f"{base}/batch"] = _operation(
        "batch", "Run many commands in one request.", schemas.of(BatchRequest), _object(replies=replies)
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Server API", "version": version},
        "paths": paths,
        "components": {"schemas": schemas.by_name, "securitySchemes": _SCHEMES},
        "security": [{name: []} for name in _SCHEMES],
    }


def _result_type(method: Method) -> type:
    """Return the annotated result type; `EmptyResult` if the method never returns."""
    named = getattr(results, inspect.signature(method.run).return_annotation, None)
    return named if isinstance(named, type) else results.EmptyResult


def _operation(name: str, about: str, request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = about.partition("\n")
    post = {
        "operationId": name,
        "summary": summary,
        "description": rest.strip(),
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": "The result, or an error.", "content": {"application/json": {"schema": answer}}},
            "400": {"description": "The body cannot be decoded."},
            "401": {"description": "The key is missing or wrong."},
        },
    }
    return {"post": post}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}
