"""Clusters: real services, and servers that share them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.nats import Nats
from tests.support.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """A NATS server that the tests of a module share."""
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that all tests share."""
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def name() -> str:
    """A channel or user of this test alone."""
    return uuid.uuid4().hex
