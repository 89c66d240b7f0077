"""Fixtures of the session tests. An exception in the event loop's handler fails the test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.harness import Rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture(autouse=True)
async def _nothing_reaches_the_loop() -> AsyncIterator[None]:
    surprises: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
    yield
    assert surprises == []


@pytest.fixture
async def make_rig(_nothing_reaches_the_loop: None) -> Callable[..., Rig]:
    """Return a function from configuration (merged over the rig's own) to a node."""
    return Rig


@pytest.fixture
async def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A node with the rig's own configuration."""
    return make_rig()
