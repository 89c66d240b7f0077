"""The node that API tests call methods on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fanjet.api.calls import Calls
from fanjet.api.encoding import encode_failure, encode_success
from fanjet.api.errors import ApiError
from fanjet.api.methods import METHODS
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from tests.api.fake_node import FakeNode

Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def call(node: FakeNode) -> Call:
    """Return a function from a method and its fields to the decoded answer, with no HTTP in between."""

    async def run(name: str, **fields: Any) -> dict[str, Any]:
        method = METHODS[name]
        request = DocumentDecoder(method.request_type).decode(json.dumps(fields).encode())
        try:
            answer = encode_success(await Calls(node).execute(method, request))
        except ApiError as error:
            answer = encode_failure(error)
        return dict(json.loads(answer))

    return run
