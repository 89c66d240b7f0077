"""Servers that the modules share, and names that no other test uses."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.configs import OPEN, QUICK

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    """A server that takes anonymous connections, with a namespace for each option."""
    return shared_server(OPEN)


@pytest.fixture
def quick(shared_server: StartServer) -> Server:
    """A server on which time runs fast: pings, expiry, ticks."""
    return shared_server(QUICK)


@pytest.fixture
def name() -> str:
    """A channel or user of this test alone."""
    return uuid.uuid4().hex
