"""Delta compression, decoded with the SDK's own decoder (01 §10)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from centrifuge.fossil import apply_delta

from tests.support.wire_client import WireClient, connected

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
OLD = '{"symbol":"ACME","price":101.25,"volume":4200,"currency":"EUR","venue":"XETRA"}'
NEW = '{"symbol":"ACME","price":101.30,"volume":4207,"currency":"EUR","venue":"XETRA"}'
PATCH = b'1F\nT@0,G:30,"volume":4207Y@i,vH811;'
GRAVE = '{"station":"Gare du Nord","note":"ouvert jusquà 22:00"}'
ACUTE = '{"station":"Gare du Nord","note":"ouvert jusquè 22:00"}'


async def publish(server: Server, channel: str, *payloads: str, **options: Any) -> None:
    for payload in payloads:
        more = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in options.items())
        await server.post("publish", f'{{"channel":"{channel}","data":{payload}{more}}}')


def data(publication: dict[str, Any]) -> bytes:
    """Payload or patch, which JSON carries as a string."""
    value = publication["data"]
    return value if isinstance(value, bytes) else str(value).encode()


async def take(client: WireClient, count: int) -> list[dict[str, Any]]:
    return [await client.publication() for _ in range(count)]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_similar_payloads_come_as_patches(server: Server, name: str, is_protobuf: bool) -> None:  # 01-43, 03-41
    channel = f"delta:{name}"
    async with connected(server, is_protobuf=is_protobuf) as client:
        assert (await client.subscribe(channel, delta="fossil"))["delta"]
        await publish(server, channel, OLD, NEW, NEW)
        first, second, third = await take(client, 3)
        assert (data(first), first.get("delta")) == (OLD.encode(), None)
        assert (data(second), second["delta"], second["offset"]) == (PATCH, True, 2)
        assert apply_delta(data(first), data(second)) == NEW.encode()
        assert apply_delta(NEW.encode(), data(third)) == NEW.encode()


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_what_a_patch_does_not_shorten_comes_in_full(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"delta:{name}"  # 01-43
    async with connected(server, is_protobuf=is_protobuf) as client:
        await client.subscribe(channel, delta="fossil")
        await publish(server, channel, '{"a":1}', '{"a":2}', OLD)
        publications = await take(client, 3)
        assert [data(each) for each in publications] == [b'{"a":1}', b'{"a":2}', OLD.encode()]
        assert not any("delta" in each for each in publications)


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_patch_that_is_no_text_is_for_protobuf_only(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"delta:{name}"  # 01-43, fix 1
    async with connected(server, is_protobuf=is_protobuf) as client:
        await client.subscribe(channel, delta="fossil")
        await publish(server, channel, GRAVE, ACUTE)
        _, second = await take(client, 2)
        assert second.get("delta", False) == is_protobuf
        expected = b't\nk@0,9:\xa8 22:00"}aMMWu;' if is_protobuf else ACUTE.encode()
        assert data(second) == expected


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_patches_go_on_after_recovery(server: Server, name: str, is_protobuf: bool) -> None:  # 01-44
    channel = f"delta:{name}"
    async with connected(server) as client:
        position = await client.subscribe(channel)
    await publish(server, channel, OLD, NEW, OLD)
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, delta="fossil", recover=True, epoch=position["epoch"])
        first, second, third = result["publications"]
        assert (data(first), first.get("delta")) == (OLD.encode(), None)
        assert (data(second), second["delta"]) == (PATCH, True)
        assert apply_delta(NEW.encode(), data(third)) == OLD.encode()
        await publish(server, channel, NEW)
        live = await client.publication()
        assert (data(live), live["delta"]) == (PATCH, True)


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_after_an_empty_recovery_the_first_is_full(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"delta:{name}"  # fix 14 b
    await publish(server, channel, NEW)
    position = await server.api("history", {"channel": channel})
    position.pop("publications")
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, delta="fossil", recover=True, **position)
        assert result["recovered"]
        await publish(server, channel, OLD, NEW)
        first, second = await take(client, 2)
        assert (data(first), first.get("delta")) == (OLD.encode(), None)
        assert (data(second), second["delta"]) == (PATCH, True)


async def test_after_a_publication_outside_the_stream_the_next_is_full(server: Server, name: str) -> None:  # fix 14 a
    channel = f"delta:{name}"
    async with connected(server) as client:
        await client.subscribe(channel, delta="fossil")
        await publish(server, channel, OLD)
        await publish(server, channel, NEW, skip_history=True)
        await publish(server, channel, NEW, OLD)
        publications = await take(client, 4)
        assert [each.get("delta", False) for each in publications] == [False, False, False, True]
        assert data(publications[1]) == NEW.encode()


async def test_who_comes_later_starts_in_full_and_others_do_not_notice(server: Server, name: str) -> None:  # 01 10.3
    channel = f"delta:{name}"
    async with connected(server) as early, connected(server) as late, connected(server) as plain:
        await early.subscribe(channel, delta="fossil")
        await plain.subscribe(channel)
        await publish(server, channel, OLD)
        await late.subscribe(channel, delta="fossil")
        await publish(server, channel, NEW)
        assert [each.get("delta", False) for each in await take(early, 2)] == [False, True]
        (first,) = await take(late, 1)
        assert (data(first), first.get("delta")) == (NEW.encode(), None)
        assert [each["data"] for each in await take(plain, 2)] == [json.loads(OLD), json.loads(NEW)]


@pytest.mark.parametrize("namespace", [pytest.param("rec", id="01-42-03-41-not-allowed")])
async def test_without_permission_payloads_stay_as_they_are(server: Server, name: str, namespace: str) -> None:
    async with connected(server) as client:
        assert "delta" not in await client.subscribe(f"{namespace}:{name}", delta="fossil")
        await publish(server, f"{namespace}:{name}", OLD, NEW)
        assert [each["data"] for each in await take(client, 2)] == [json.loads(OLD), json.loads(NEW)]


async def test_only_flagged_publications_become_patches(server: Server, name: str) -> None:  # 01 10.3
    channel = f"tags:{name}"
    async with connected(server) as client:
        assert (await client.subscribe(channel, delta="fossil"))["delta"]
        await publish(server, channel, OLD, NEW)
        await publish(server, channel, OLD, delta=True)
        publications = await take(client, 3)
        assert [each.get("delta", False) for each in publications] == [False, False, True]
        assert apply_delta(NEW.encode(), data(publications[2])) == OLD.encode()


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_without_positions_patches_are_based_on_the_latest_where_that_is_kept(
    server: Server, name: str, is_protobuf: bool
) -> None:  # 11-28
    channel = f"based:{name}"
    async with connected(server, is_protobuf=is_protobuf) as client:
        assert (await client.subscribe(channel, delta="fossil"))["delta"]
        await publish(server, channel, OLD, NEW, delta=True)
        async with connected(server, is_protobuf=is_protobuf) as late:
            await late.subscribe(channel, delta="fossil")
            await publish(server, channel, OLD, delta=True)
            assert data(await late.publication()) == OLD.encode()
        first, second, third = await take(client, 3)
        assert (data(first), first.get("delta"), first.get("offset")) == (OLD.encode(), None, None)
        assert (data(second), second["delta"]) == (PATCH, True)
        assert apply_delta(NEW.encode(), data(third)) == OLD.encode()
