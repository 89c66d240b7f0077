"""Calls of the application: answers, late answers, and the sessions that wait for them."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.client.session import Session
from fanjet.events.answer import ConnectAnswer
from fanjet.events.client_events import EventFailed
from fanjet.events.null_handler import NoEvents
from fanjet.protocol.codes import Disconnect, Disconnected, Error, ReplyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.harness import Rig


class Application(NoEvents):
    """Decides who connects, and answers calls once the gate, if any, is open."""

    decides_connect = True
    answers_rpc = True

    def __init__(self) -> None:
        self.gate: asyncio.Event | None = None
        self.fail: Callable[[], Exception] | None = None

    async def connect(self, _event: Any) -> Any:
        return ConnectAnswer(user="ann")

    async def rpc(self, _event: Any) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        if self.fail is not None:
            raise self.fail()
        return b"1"


@pytest.fixture
def application(rig: Rig) -> Application:
    rig.context.events = made = Application()  # type: ignore[assignment]
    return made


async def test_an_immediate_answer_needs_no_task(rig: Rig, application: Application) -> None:
    client = rig.open()
    tasks = len(asyncio.all_tasks())
    client.send({"connect": {}}, {"rpc": {"method": "m"}})
    assert len(asyncio.all_tasks()) == tasks
    assert client.answered == [1, 2]


async def test_a_cancellation_within_the_application_ends_the_connection(rig: Rig, application: Application) -> None:
    application.gate = gate = asyncio.Event()
    application.fail = asyncio.CancelledError  # type: ignore[assignment]
    client = rig.open()
    client.send({"connect": {}}, {"rpc": {"method": "m"}})
    await rig.settle()
    assert client.code is None
    gate.set()
    await rig.settle()
    assert client.code == 3000


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(EventFailed, id="failed"),
        pytest.param(lambda: ReplyError(Error(7, "m")), id="error"),
        pytest.param(lambda: Disconnected(Disconnect(4501, "no")), id="disconnect"),
    ],
)
async def test_a_failed_call_leaves_no_reference_to_its_session(
    rig: Rig, application: Application, fail: Callable[[], Exception], late: bool
) -> None:
    gc.collect()
    gc.disable()
    try:
        before = _sessions()  # whatever keeps them: pytest does when a test of theirs failed
        await _ask_and_go(rig, application, fail, late=late)
        await rig.settle()
        assert len(_sessions()) == len(before)
    finally:
        gc.enable()


def _sessions() -> list[Session]:
    return [one for one in gc.get_objects() if type(one) is Session]


async def _ask_and_go(rig: Rig, application: Application, fail: Callable[[], Exception], *, late: bool) -> None:
    application.fail = fail
    application.gate = asyncio.Event()
    client = rig.open()
    client.send({"connect": {}})
    if not late:
        application.gate.set()
    client.send({"rpc": {"method": "m"}})
    await rig.settle()
    application.gate.set()
    await rig.settle()
    client.transport.lose()
