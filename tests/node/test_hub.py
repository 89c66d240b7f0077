from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from fanjet.node.frames import MAX_SCANNED
from fanjet.node.subscriber import Subscriber  # noqa: TC001
from fanjet.protocol.codes import DISCONNECT_INAPPROPRIATE_PROTOCOL
from fanjet.protocol.fossil import apply_delta
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.messages import FilterNode
from fanjet.protocol.publication import ClientInfo, Publication
from fanjet.protocol.tags_filter import TagsFilter
from fanjet.protocol.wire import WireFormat

from .conftest import Room


async def publish(
    room: Room, offset: int = 0, *, epoch: str = "e", delta: bool = False, previous: bytes | None = None, **fields
):
    data = fields.pop("data", b"%d" % offset)
    room.hub.on_publication(
        "news",
        Publication(data, offset, **fields),
        epoch if offset else "",
        use_delta=delta,
        previous=None if previous is None else Publication(previous, offset - 1),
    )
    await asyncio.sleep(0)  # casualties are ended in the next turn of the loop


async def test_every_subscriber_gets_the_same_bytes_object(room: Room) -> None:
    (one, _), (two, _) = room.subscribe("one"), room.subscribe("two")
    await publish(room)
    assert one.data == two.data == [0]
    assert one.frames[0] is two.frames[0]


async def test_each_of_many_wire_formats_is_encoded_once(room: Room) -> None:
    encoded: list[str] = []

    def wire(name: str) -> WireFormat:
        def frame(message: bytes) -> bytes:
            encoded.append(name)
            return message

        return WireFormat(name, JSON, frame)

    names = [f"wire {number}" for number in range(3 * MAX_SCANNED)]
    sessions = []
    for name in names:
        spoken = wire(name)
        sessions += [
            room.subscribe(f"{name} {positioned}", wire=spoken, positioned=positioned)[0]
            for positioned in (False, True)
        ]
    encoded.clear()  # a wire format frames its pings as it is made
    await publish(room, 1)
    assert sorted(encoded) == sorted(names)
    assert all(session.data == [1] for session in sessions)


async def test_a_publication_without_subscribers_is_discarded(room: Room) -> None:
    session, subscriber = room.subscribe("one")
    room.hub.remove(subscriber)
    await publish(room)
    assert session.data == []


async def test_publications_during_a_subscribe_follow_the_reply(room: Room) -> None:
    session, subscriber = room.subscribe("one", live=False)
    await publish(room)
    assert session.data == []
    room.hub.go_live(subscriber)
    assert session.data == [0]


async def test_a_positioned_subscriber_gets_only_publications_after_its_position(room: Room) -> None:
    session, subscriber = room.subscribe("one", live=False, positioned=True)
    await publish(room, 1)
    await publish(room, 2)
    subscriber.offset, subscriber.epoch = 2, "e"
    room.hub.go_live(subscriber)
    await publish(room, 2)
    await publish(room, 3)
    assert session.data == [3]


@pytest.mark.parametrize(
    ("offset", "epoch"), [pytest.param(3, "e", id="gap"), pytest.param(2, "other", id="foreign epoch")]
)
async def test_a_positioned_subscriber_that_missed_a_publication_is_unsubscribed(
    room: Room, offset: int, epoch: str
) -> None:
    (positioned, _), (plain, _) = room.subscribe("one", (1, "e"), positioned=True), room.subscribe("two")
    await publish(room, offset, epoch=epoch)
    assert positioned.data == []
    assert [subscriber.channel for subscriber in positioned.lost] == ["news"]
    assert plain.data == [offset]


async def test_an_empty_epoch_is_adopted(room: Room) -> None:
    session, _ = room.subscribe("one", (0, ""), positioned=True)
    await publish(room, 1, epoch="e")
    await publish(room, 2, epoch="other")
    assert session.data == [1]
    assert len(session.lost) == 1


async def test_a_subscriber_ahead_stays_ungrouped_until_the_channel_catches_up(room: Room) -> None:
    (slow, _), (ahead, _) = (
        room.subscribe("one", (1, "e"), positioned=True),
        room.subscribe("two", (3, "e"), positioned=True),
    )
    for offset in (2, 3, 4):
        await publish(room, offset)
    assert slow.data == [2, 3, 4]
    assert ahead.data == [4]
    assert not room.hub.channels["news"].ungrouped


async def test_an_ungrouped_subscriber_with_a_gap_is_unsubscribed_alone(room: Room) -> None:
    (slow, _), (ahead, _) = (
        room.subscribe("one", (5, "e"), positioned=True),
        room.subscribe("two", (3, "e"), positioned=True),
    )
    await publish(room, 6)
    assert slow.data == [6]
    assert len(ahead.lost) == 1
    assert slow.lost == []


async def test_a_filter_decides_delivery_but_not_the_position(room: Room) -> None:
    wants_a = TagsFilter(FilterNode(key="t", cmp="eq", val="a"))
    session, _ = room.subscribe("one", (0, "e"), positioned=True, tags_filter=wants_a)
    await publish(room, 1, tags={"t": "a"})
    await publish(room, 2, tags={"t": "b"})
    await publish(room, 3, tags={"t": "a"})
    assert session.data == [1, 3]
    assert session.lost == []


async def test_join_and_leave_go_to_subscribers_that_enabled_them(room: Room) -> None:
    (wants, _), (other, _) = room.subscribe("one", push_join_leave=True), room.subscribe("two")
    room.hub.on_join("news", ClientInfo("u", "c"))
    room.hub.on_leave("news", ClientInfo("u", "c"))
    wants.flush()
    other.flush()
    assert [next(key for key in message["push"] if key != "channel") for message in wants.messages] == [
        "join",
        "leave",
    ]
    assert other.messages == []


async def test_a_payload_that_is_not_json_closes_json_subscribers(room: Room) -> None:
    session, _ = room.subscribe("one")
    await publish(room, data=b"\x00\xff")
    assert session.disconnects == [DISCONNECT_INAPPROPRIATE_PROTOCOL]
    assert session.data == []


BASE = b'{"symbol":"ACME","price":101.25,"volume":4200,"currency":"EUR","venue":"XETRA"}'
NEXT = b'{"symbol":"ACME","price":101.30,"volume":4207,"currency":"EUR","venue":"XETRA"}'


def received(session) -> list[tuple[bool, bytes]]:
    session.flush()
    pubs = [message["push"]["pub"] for message in session.messages]
    return [(pub.get("delta", False), pub["data"].encode()) for pub in pubs]


async def test_a_delta_subscriber_gets_a_full_publication_first_and_patches_then(room: Room) -> None:
    session, _ = room.subscribe("one", (0, "e"), positioned=True, delta=True)
    await publish(room, 1, data=BASE, delta=True)
    await publish(room, 2, data=NEXT, delta=True, previous=BASE)
    (first_is_patch, first), (second_is_patch, second) = received(session)
    assert (first_is_patch, first) == (False, BASE)
    assert second_is_patch
    assert apply_delta(BASE, second) == NEXT


async def test_a_patch_never_follows_a_publication_outside_the_stream(room: Room) -> None:
    session, _ = room.subscribe("one", (0, "e"), positioned=True, delta=True)
    await publish(room, 1, data=BASE, delta=True)
    await publish(room, 0, data=b'{"out":"of stream"}', delta=True)
    await publish(room, 2, data=NEXT, delta=True, previous=BASE)
    assert [is_patch for is_patch, _ in received(session)] == [False, False, False]


async def test_without_a_position_deltas_stay_full(room: Room) -> None:
    session, _ = room.subscribe("one", delta=True)
    await publish(room, 1, data=BASE, delta=True)
    await publish(room, 2, data=NEXT, delta=True, previous=BASE)
    assert [is_patch for is_patch, _ in received(session)] == [False, False]


async def test_without_a_position_patches_are_based_on_the_latest_delivered_publication(room: Room) -> None:
    session, _ = room.subscribe("one", delta=True)
    room.hub.channels["news"].keeps_latest = True
    await publish(room, data=BASE, delta=True)
    await publish(room, data=NEXT, delta=True)
    late, _ = room.subscribe("two", delta=True)
    await publish(room, 7, data=BASE, delta=True, previous=b"unknown to them")
    (full, first), (patch, second), (again, third) = received(session)
    assert (full, patch, again) == (False, True, True)
    assert apply_delta(first, second) == NEXT
    assert apply_delta(NEXT, third) == BASE
    assert received(late) == [(False, BASE)]
    await publish(room, data=NEXT)
    await publish(room, data=BASE, delta=True)
    assert [is_patch for is_patch, _ in received(late)] == [False, False, True]


async def test_after_a_publication_of_its_own_a_delta_subscriber_gets_a_full_one(room: Room) -> None:
    session, subscriber = room.subscribe("one", (0, "e"), positioned=True, delta=True)
    await publish(room, 1, data=BASE, delta=True)
    room.hub.send(subscriber, Publication(b'{"for":"one"}'))
    await publish(room, 2, data=NEXT, delta=True, previous=BASE)
    await publish(room, 3, data=BASE, delta=True, previous=NEXT)
    assert [is_patch for is_patch, _ in received(session)] == [False, False, False, True]


async def test_a_new_delta_subscriber_gets_its_own_full_publication(room: Room) -> None:
    old, _ = room.subscribe("one", (0, "e"), positioned=True, delta=True)
    await publish(room, 1, data=BASE, delta=True)
    new, _ = room.subscribe("two", (1, "e"), positioned=True, delta=True)
    await publish(room, 2, data=NEXT, delta=True, previous=BASE)
    assert [is_patch for is_patch, _ in received(old)] == [False, True]
    assert received(new) == [(False, NEXT)]


async def test_compaction_replaces_the_channel_by_a_number_where_requested(room: Room) -> None:
    (compact, _), (plain, _) = room.subscribe("one", compact=True), room.subscribe("two")
    await publish(room)
    compact.flush()
    plain.flush()
    assert compact.messages[0]["push"]["id"] == 1
    assert "channel" not in compact.messages[0]["push"]
    assert plain.messages[0]["push"]["channel"] == "news"


async def test_removing_all_subscribers_empties_the_channel(room: Room) -> None:
    subscribers: list[Subscriber] = [room.subscribe(name, (0, "e"), positioned=name == "a")[1] for name in "abc"]
    assert [room.hub.remove(subscriber) is not None for subscriber in subscribers] == [False, False, True]
    assert room.hub.remove(subscribers[0]) is None
    assert list(room.hub.active_channels()) == []
    assert room.hub.subscription_count == 0


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with others"])
async def test_a_changed_filter_counts_from_the_next_publication_on(room: Room, others: int) -> None:
    wants_a, wants_b = (TagsFilter(FilterNode(key="t", cmp="eq", val=value)) for value in "ab")
    session, subscriber = room.subscribe("one", (0, "e"), positioned=True, tags_filter=wants_a)
    rest = [room.subscribe(f"other {n}", (0, "e"), positioned=True, tags_filter=wants_a)[0] for n in range(others)]
    for offset, value in enumerate("aabab", 1):
        if offset == 3:
            room.hub.change(subscriber, replace(subscriber.delivery, tags_filter=wants_b))
        await publish(room, offset, tags={"t": value})
    assert session.data == [1, 2, 3, 5]
    assert session.lost == []
    assert [one.data for one in rest] == [[1, 2, 4]] * others
    assert room.hub.subscription_count == 1 + others


async def test_a_filter_may_change_while_a_subscriber_is_ungrouped(room: Room) -> None:
    wants_b = TagsFilter(FilterNode(key="t", cmp="eq", val="b"))
    room.subscribe("one", (1, "e"), positioned=True)
    ahead, subscriber = room.subscribe("two", (3, "e"), positioned=True)
    room.hub.change(subscriber, replace(subscriber.delivery, tags_filter=wants_b))
    for offset, value in enumerate("aaab", 2):
        await publish(room, offset, tags={"t": value})
    assert ahead.data == [5]
    assert ahead.lost == []


async def test_changing_an_ended_subscription_has_no_effect(room: Room) -> None:
    _, subscriber = room.subscribe("one")
    room.hub.remove(subscriber)
    room.hub.change(subscriber, replace(subscriber.delivery, positioned=True))
    assert not room.hub.channels["news"].count


async def test_a_filter_that_joins_deltas_leaves_full_publications(room: Room) -> None:
    wants_a = TagsFilter(FilterNode(key="t", cmp="eq", val="a"))
    session, subscriber = room.subscribe("one", (0, "e"), positioned=True, delta=True)
    payloads = [b'{"some":"payload that is long enough to be patched","number":%d}' % n for n in range(6)]
    for offset, value in enumerate("aababa"):
        if offset == 2:
            room.hub.change(subscriber, replace(subscriber.delivery, tags_filter=wants_a))
        previous = payloads[offset - 1] if offset else None
        await publish(room, offset + 1, delta=True, previous=previous, data=payloads[offset], tags={"t": value})
    session.flush()
    publications = [message["push"]["pub"] for message in session.messages]
    assert [one.get("delta", False) for one in publications] == [False, True, False, False]
    assert [one["data"] for one in publications[2:]] == [payloads[3].decode(), payloads[5].decode()]


async def test_a_publication_without_time_is_never_late() -> None:
    room = Room(max_lag=1.0)
    session, _ = room.subscribe("one", (0, "e"), positioned=True)
    await publish(room, 1)
    assert session.data == [1]
    assert not session.lost
    await publish(room, 2, time=1_000)
    assert session.data == [1]
    assert session.lost
