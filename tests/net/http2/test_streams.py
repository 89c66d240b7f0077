import asyncio

import pytest

from fanjet.net.http1.stream import unframed
from tests.support.http2_client import fields

from ..http1.test_stream import Owner

INTERNAL_ERROR = 2


@pytest.fixture
def owner():
    return Owner()


@pytest.fixture
async def served(serve_front, routes, owner):
    routes.add("/stream", owner)
    return await serve_front(routes)


async def begin(served, owner, **options):
    client = await served.connect(**options)
    number = client.send(fields("GET", "/stream"))
    await asyncio.wait_for(owner.begun.wait(), 3)
    return client, client.answers[number], number


async def test_pieces_arrive_as_they_are_written(served, owner):
    client, answer, number = await begin(served, owner)
    assert owner.frame is unframed
    owner.write(b"one")
    await client.until(lambda: answer.body == b"one")
    owner.write(b"two")
    owner.stream.finish()
    await client.whole(number)
    assert (answer.status, answer.body, answer.ended) == (200, b"onetwo", True)
    assert answer.header("x-own") == "1"
    assert answer.header("content-length") is None
    assert owner.heard == []


async def test_an_aborted_body_is_seen_as_not_whole(served, owner):
    client, _answer, number = await begin(served, owner)
    owner.write(b"part")
    owner.stream.abort()
    assert (await client.whole(number)).reset == INTERNAL_ERROR
    assert (await client.request("GET", "/nope")).status == 404
    assert owner.heard == []


async def test_the_owner_hears_that_the_client_left(served, owner):
    client, _, number = await begin(served, owner)
    client.reset(number)
    await owner.hears("lost")
    owner.stream.finish()
    assert (await client.request("GET", "/nope")).status == 404


async def test_the_owner_hears_that_the_connection_is_lost(served, owner):
    client, _, _ = await begin(served, owner)
    client.writer.transport.abort()
    await owner.hears("lost")


async def test_the_owner_hears_of_windows(served, owner):
    client, answer, number = await begin(served, owner, greedy=False, window=10)
    owner.write(b"x" * 25)
    await owner.hears("blocked")
    await client.until(lambda: len(answer.body) == 10)
    owner.write(b"y")
    client.engine.increment_flow_control_window(15, number)
    client.flush()
    await client.until(lambda: len(answer.body) == 25)
    assert owner.heard == ["blocked"]
    client.engine.increment_flow_control_window(10, number)
    client.flush()
    await owner.hears("writable")
    await client.until(lambda: len(answer.body) == 26)
    assert answer.body == b"x" * 25 + b"y"


async def test_what_was_written_before_the_end_arrives_before_it(served, owner):
    client, answer, number = await begin(served, owner, greedy=False, window=10)
    owner.write(b"x" * 25)
    owner.stream.finish()
    client.engine.increment_flow_control_window(15, number)
    client.flush()
    await client.whole(number)
    assert (answer.body, answer.ended) == (b"x" * 25, True)


async def test_a_stream_outlives_all_limits_of_requests(served, owner):
    client, answer, number = await begin(served, owner)
    for _ in range(5):
        served.push_clock(60)
        owner.write(b".")
        await asyncio.sleep(0.02)
    owner.stream.finish()
    await client.whole(number)
    assert answer.body == b"....."
