"""Detection of NATS connections that deliver nothing (07 §15.2)."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fanjet.config.tree.broker import BrokerNats
from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.nats import NatsBroker, NatsConnection, NatsController
from tests.support.nats import Nats
from tests.support.relay import Relay
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.engines.conftest import Recorder

PROBE_SECONDS = 0.4
numbers = itertools.count()
"""Makes messages distinct."""


@asynccontextmanager
async def opened(url: str, events: Recorder, *, probe_seconds: float = PROBE_SECONDS) -> AsyncIterator[NatsBroker]:
    settings = BrokerNats.model_validate({"url": url, "prefix": "p"})
    broker = NatsBroker(NatsConnection(settings, "me", probe_seconds=probe_seconds), settings, events)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()


async def is_healthy(broker: NatsBroker) -> bool:
    return not broker.outage


async def delivered_again(broker: NatsBroker, events: Recorder) -> None:
    """Wait until publications are delivered."""
    before = len(events.delivered)

    async def arrives() -> bool:
        try:
            await broker.publish("news", b"%d" % next(numbers), PublishOptions())
        except EngineUnavailable:
            return False
        await asyncio.sleep(0.02)
        return len(events.delivered) > before

    await until(arrives)


async def test_probes_bound_the_silence(nats: Nats, events: Recorder) -> None:
    async with opened(nats.nats_url, events) as broker:
        silences = [0.0]

        async def falls() -> bool:
            silences.append(broker.silence)
            return silences[-1] < silences[-2]

        for _ in range(3):
            await until(falls)
        await until(partial(is_healthy, broker))
        assert not events.delivered


async def test_a_silent_connection_is_replaced(nats: Nats, events: Recorder) -> None:
    async with Relay(nats.port) as relay, opened(f"nats://127.0.0.1:{relay.port}", events) as broker:
        await broker.subscribe("news")
        await delivered_again(broker, events)
        accepted = relay.accepted
        relay.stall()

        async def is_lost() -> bool:
            return bool(broker.outage)

        await until(is_lost)
        await broker.publish("news", b"into the void", PublishOptions())

        async def another() -> bool:
            return relay.accepted > accepted

        await until(another)
        relay.flow()
        await until(partial(is_healthy, broker))
        await delivered_again(broker, events)
        await broker.unsubscribe("news")
        await broker.subscribe("news")
        await delivered_again(broker, events)
        payloads = [delivered.publication.data for delivered in events.delivered]
        assert len(payloads) == len(set(payloads))


async def test_subscriptions_made_while_silent_work_afterwards(nats: Nats, events: Recorder) -> None:
    async with Relay(nats.port) as relay, opened(f"nats://127.0.0.1:{relay.port}", events) as broker:
        relay.stall()

        async def is_lost() -> bool:
            return bool(broker.outage)

        await until(is_lost)
        relay.flow()

        async def subscribed() -> bool:
            try:
                await broker.subscribe("news")
            except EngineUnavailable:
                return False
            return True

        await until(subscribed)
        await delivered_again(broker, events)


async def test_denied_probes_prove_nothing(tmp_path: Path, events: Recorder) -> None:
    (tmp_path / "conf").write_text(
        'authorization { users: [{ user: u, password: p, permissions: { subscribe: "p.client.>", publish: ">" } }] }'
    )
    server = Nats(tmp_path, "-c", str(tmp_path / "conf"))
    server.start()
    try:
        async with opened(f"nats://u:p@127.0.0.1:{server.port}", events) as broker:
            await broker.subscribe("news")

            async def is_silent() -> bool:
                return broker.silence > 5 * PROBE_SECONDS

            await until(is_silent)
            assert not broker.outage
            await delivered_again(broker, events)
    finally:
        server.stop()


async def test_denied_subscriptions_are_reported(tmp_path: Path, events: Recorder) -> None:
    permissions = '{ subscribe: ["p.client.news", "p.client.wide", "P.node.Me"], publish: ">" }'
    users = f"[{{ user: u, password: p, permissions: {permissions} }}]"
    (tmp_path / "conf").write_text(f"authorization {{ users: {users} }}")
    server = Nats(tmp_path, "-c", str(tmp_path / "conf"))
    server.start()
    try:
        url = f"nats://u:p@127.0.0.1:{server.port}"
        async with opened(url, events) as broker:
            await broker.subscribe("news")
            outcomes = await asyncio.gather(*map(broker.subscribe, ("wide", "Secret")), return_exceptions=True)
            assert outcomes[0] is None
            assert "does not permit" in str(outcomes[1])
            await broker.unsubscribe("Secret")
            await delivered_again(broker, events)
        settings = BrokerNats.model_validate({"url": url, "prefix": "P"})
        controller = NatsController(NatsConnection(settings, "Me"))
        await controller.start(lambda _: None)
        assert controller.outage == "control messages of NATS"
        await controller.close()
    finally:
        server.stop()


async def test_a_denial_is_case_sensitive(tmp_path: Path, events: Recorder) -> None:
    permissions = '{ subscribe: ["p.client.news", "p.client.Upper", "p.node.>"], publish: ">" }'
    users = f"[{{ user: u, password: p, permissions: {permissions} }}]"
    (tmp_path / "conf").write_text(f"authorization {{ users: {users} }}")
    server = Nats(tmp_path, "-c", str(tmp_path / "conf"))
    server.start()
    try:
        async with opened(f"nats://u:p@127.0.0.1:{server.port}", events) as broker:
            await broker.subscribe("news")
            together = ("News", "upper", "Upper")
            outcomes = await asyncio.gather(*map(broker.subscribe, together), return_exceptions=True)
            assert [isinstance(one, EngineUnavailable) for one in outcomes] == [True, True, False]
            await delivered_again(broker, events)
            assert not events.revoked
    finally:
        server.stop()


async def test_late_denials_are_reported(tmp_path: Path, events: Recorder) -> None:
    permissions = '{ subscribe: ["p.client.news", "p.node.>"], publish: ">" }'
    users = f"[{{ user: u, password: p, permissions: {permissions} }}]"
    (tmp_path / "conf").write_text(f"authorization {{ users: {users} }}")
    server = Nats(tmp_path, "-c", str(tmp_path / "conf"))
    server.start()
    try:
        async with Relay(server.port) as relay:
            url = f"nats://u:p@127.0.0.1:{relay.port}"
            async with opened(url, events, probe_seconds=60.0) as broker:
                relay.stall()
                await asyncio.gather(*map(broker.subscribe, ("news", "Secret")))
                assert not events.revoked
                relay.flow()
                assert await events.revocations(1) == ["Secret"]
                await delivered_again(broker, events)
                await broker.unsubscribe("Secret")
                with pytest.raises(EngineUnavailable, match="does not permit"):
                    await broker.subscribe("Secret")
                assert events.revoked == ["Secret"]
    finally:
        server.stop()


async def test_denied_control_messages_are_an_outage_until_permitted_again(tmp_path: Path) -> None:
    def permit(subjects: str) -> None:
        users = f"[{{ user: u, password: p, permissions: {{ subscribe: {subjects}, publish: '>' }} }}]"
        (tmp_path / "conf").write_text(f"authorization {{ users: {users} }}")

    permit("['p.>']")
    server = Nats(tmp_path, "-c", str(tmp_path / "conf"))
    server.start()
    settings = BrokerNats.model_validate({"url": f"nats://u:p@127.0.0.1:{server.port}", "prefix": "p"})
    controller = NatsController(NatsConnection(settings, "me", probe_seconds=60.0))
    try:
        await controller.start(lambda _: None)
        assert not controller.outage
        permit("['p.node.me']")
        os.kill(server.pid, signal.SIGHUP)

        async def is_silent() -> bool:
            return controller.outage == "control messages of NATS"

        async def well() -> bool:
            with suppress(EngineUnavailable):
                await controller.publish_control(b"to all")
            return not controller.outage

        await until(is_silent)
        permit("['p.>']")
        await asyncio.to_thread(server.restart)
        await until(well)
    finally:
        await controller.close()
        server.stop()


async def test_a_closed_client_is_replaced_immediately(nats: Nats, events: Recorder) -> None:
    settings = BrokerNats.model_validate({"url": nats.nats_url, "prefix": "p"})
    broker = NatsBroker(NatsConnection(settings, "me", probe_seconds=60.0), settings, events)
    await broker.start()
    try:
        await broker.subscribe("news")
        restored = asyncio.Event()
        broker.set_on_restored(restored.set)
        await broker.publish("x" * 5000, b"1", PublishOptions())  # longer than the server accepts
        await asyncio.wait_for(restored.wait(), 10)
        await delivered_again(broker, events)
    finally:
        await broker.close()


async def test_a_probe_is_no_control_message(nats: Nats) -> None:
    settings = BrokerNats.model_validate({"url": nats.nats_url, "prefix": "q"})
    connection = NatsConnection(settings, "me", probe_seconds=PROBE_SECONDS)
    controller = NatsController(connection)
    received: list[bytes] = []
    await controller.start(received.append)
    silences = [0.0]

    async def probed() -> bool:
        silences.append(controller.silence)
        return silences[-1] < silences[-2]

    await until(probed)
    await controller.publish_control(b"for all")
    await controller.publish_control(b"for me", "me")

    async def complete() -> bool:
        return len(received) == 2

    await until(complete)
    assert received == [b"for all", b"for me"]
    await controller.close()


@asynccontextmanager
async def connected_through(relay: Relay) -> AsyncIterator[NatsConnection]:
    settings = BrokerNats.model_validate({"url": f"nats://127.0.0.1:{relay.port}", "prefix": "r"})
    connection = NatsConnection(settings, "me", probe_seconds=60.0)
    await connection.start()
    try:
        yield connection
    finally:
        relay.flow()
        await connection.close()


async def test_a_cancelled_subscribe_receives_nothing(nats: Nats) -> None:
    async with Relay(nats.port) as relay, connected_through(relay) as connection:
        received: list[bytes] = []
        relay.stall()
        subscribing = asyncio.create_task(
            connection.subscribe("given.up", lambda _, data: received.append(data), lambda: None)
        )

        async def waits_for_the_server() -> bool:
            return "given.up" in connection._subscriptions

        await until(waits_for_the_server)
        subscribing.cancel()
        await asyncio.gather(subscribing, return_exceptions=True)
        assert subscribing.cancelled()
        relay.flow()
        await connection.subscribe("kept", lambda _, data: received.append(data), lambda: None)
        await connection.publish("given.up", b"1")
        await connection.publish("kept", b"2")

        async def complete() -> bool:
            return b"2" in received

        await until(complete)
        assert received == [b"2"]


async def test_a_late_pong_keeps_the_connection_alive(nats: Nats) -> None:
    async with Relay(nats.port) as relay, connected_through(relay) as connection:
        client = connection._client
        relay.stall()
        flushing = asyncio.create_task(client.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        client._pings_outstanding = 2
        relay.flow()

        async def is_received() -> bool:
            return not client._pings_outstanding

        await until(is_received)
