"""A server with every transport, and a client for each."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN, QUICK
from tests.support.server import merge
from tests.transports.conformance.transports import CASES

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server
    from tests.transports.conformance.transports import TransportCase

TRANSPORTS: dict[str, Any] = {"http_stream": {"enabled": True}, "sse": {"enabled": True}}


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> TransportCase:
    """One transport in one encoding."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def config(case: TransportCase) -> dict[str, Any]:
    """Anonymous connections are allowed on every transport."""
    return merge(merge(OPEN, TRANSPORTS), case.config)


@pytest.fixture
def server(shared_server: StartServer, config: dict[str, Any]) -> Server:
    """A server that all may use."""
    return shared_server(config)


@pytest.fixture
def quick(shared_server: StartServer, case: TransportCase) -> Server:
    """A server on which time runs fast."""
    return shared_server(merge(merge(QUICK, TRANSPORTS), case.config))


@pytest.fixture
def name() -> str:
    """A channel or user of this test alone."""
    return uuid.uuid4().hex
