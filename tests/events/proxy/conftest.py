"""Backends at addresses that stay, so that tests can share the servers that ask them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.events.proxy.configs import proxied
from tests.support.backend import http_backend
from tests.support.grpc_backend import grpc_backend
from tests.support.server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.grpc_backend import GrpcBackend
    from tests.support.server import Server


@pytest.fixture(scope="session")
def backend_port() -> int:
    return free_port()


@pytest.fixture
async def backend(backend_port: int) -> AsyncIterator[Backend]:
    """A backend over HTTP that answers `{}` unless told otherwise."""
    async with http_backend(backend_port) as running:
        yield running


@pytest.fixture
def base(backend_port: int) -> str:
    """Where the backend is."""
    return f"http://127.0.0.1:{backend_port}"


@pytest.fixture
def server(shared_server: StartServer, base: str, backend: Backend) -> Server:
    """A server that asks the backend about everything but refreshes."""
    return shared_server(proxied(base))


@pytest.fixture
def name() -> str:
    """A channel or user of this test alone."""
    return uuid.uuid4().hex


@pytest.fixture(scope="session")
def _running_grpc_backend() -> Iterator[GrpcBackend]:
    with grpc_backend() as running:
        yield running


@pytest.fixture
def grpc_application(_running_grpc_backend: GrpcBackend) -> GrpcBackend:
    """A backend over gRPC that answers nothing but empty responses unless told otherwise."""
    _running_grpc_backend.reset()
    return _running_grpc_backend


@pytest.fixture
def grpc_server(shared_server: StartServer, grpc_application: GrpcBackend) -> Server:
    """A server that asks the gRPC backend about everything but refreshes."""
    return shared_server(proxied(f"127.0.0.1:{grpc_application.port}"))
