"""The Python client of the server API, `cent`, against the real server."""

import time
import uuid
from collections.abc import AsyncIterator

import cent
import pytest
import pytest_asyncio

from tests.conftest import StartServer
from tests.sdk.configs import OPEN
from tests.sdk.conftest import MakeClient
from tests.support.server import API_KEY, Server
from tests.support.tokens import token


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(OPEN)


@pytest_asyncio.fixture
async def api(server: Server) -> AsyncIterator[cent.AsyncClient]:
    async with cent.AsyncClient(f"{server.url}/api", API_KEY) as client:
        yield client


@pytest.fixture
def room() -> str:
    return f"room:{uuid.uuid4()}"


async def test_publishing_gives_positions_that_history_confirms(api: cent.AsyncClient, room: str) -> None:
    first = await api.publish(cent.PublishRequest(channel=room, data={"n": 1}))
    second = await api.publish(cent.PublishRequest(channel=room, data={"n": 2}, tags={"kind": "news"}))
    assert (first.offset, second.offset, first.epoch) == (1, 2, second.epoch)
    history = await api.history(cent.HistoryRequest(channel=room, limit=-1))
    assert [(publication.offset, publication.data) for publication in history.publications] == [
        (1, {"n": 1}),
        (2, {"n": 2}),
    ]
    assert history.publications[1].tags == {"kind": "news"}
    await api.history_remove(cent.HistoryRemoveRequest(channel=room))
    emptied = await api.history(cent.HistoryRequest(channel=room, limit=-1))
    assert (emptied.publications, emptied.offset) == ([], 2)


async def test_a_repeated_idempotency_key_publishes_once(api: cent.AsyncClient, room: str) -> None:
    request = cent.PublishRequest(channel=room, data=1, idempotency_key="once")
    assert (await api.publish(request)).offset == (await api.publish(request)).offset == 1


async def test_broadcast_answers_for_each_channel(api: cent.AsyncClient, room: str) -> None:
    answer = await api.broadcast(cent.BroadcastRequest(channels=[room, "nowhere:1"], data="all"))
    good, bad = answer.responses
    assert good.result is not None
    assert good.result.offset == 1
    assert bad.error is not None
    assert bad.error.code == 102


async def test_batch_answers_in_order(api: cent.AsyncClient, room: str) -> None:
    requests = [cent.PublishRequest(channel=room, data=n) for n in range(3)]
    answer = await api.batch(cent.BatchRequest(requests=[*requests, cent.PresenceStatsRequest(channel=room)]))
    assert [reply.offset for reply in answer.replies[:3]] == [1, 2, 3]
    assert answer.replies[3].num_clients == 0


async def test_errors_carry_the_code_of_the_contract(api: cent.AsyncClient) -> None:
    with pytest.raises(cent.CentApiResponseError) as caught:
        await api.publish(cent.PublishRequest(channel="nowhere:1", data=1))
    assert caught.value.code == 102


async def test_a_wrong_key_is_unauthorized(server: Server) -> None:
    async with cent.AsyncClient(f"{server.url}/api", "not the key") as stranger:
        with pytest.raises(cent.CentUnauthorizedError):
            await stranger.info(cent.InfoRequest())


async def test_the_server_describes_itself_and_its_channels(
    api: cent.AsyncClient, server: Server, client: MakeClient, room: str
) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(room)
    await ann.journal.expect("subscribed")
    channels = await api.channels(cent.ChannelsRequest(pattern=f"{room}*"))
    assert {name: info.num_clients for name, info in channels.channels.items()} == {room: 1}
    (node,) = (await api.info(cent.InfoRequest())).nodes
    assert node.uid
    assert node.version


async def test_a_backend_governs_a_connection(
    api: cent.AsyncClient, server: Server, client: MakeClient, room: str
) -> None:
    user = str(uuid.uuid4())
    ann = client(server.ws_url, token(user))
    await ann.connect()
    await ann.journal.expect("connected")
    await api.subscribe(cent.SubscribeRequest(user=user, channel=room))
    await ann.journal.expect("server_subscribed", channel=room)
    presence = await api.presence(cent.PresenceRequest(channel=room))
    assert [info.user for info in presence.presence.values()] == [user]
    await api.refresh(cent.RefreshRequest(user=user, expire_at=int(time.time()) + 3600))
    await api.unsubscribe(cent.UnsubscribeRequest(user=user, channel=room))
    await ann.journal.expect("server_unsubscribed", channel=room)
    await api.disconnect(
        cent.DisconnectRequest(user=user, disconnect=cent.Disconnect(code=4501, reason="enough for today"))
    )
    await ann.journal.expect("disconnected", code=4501, reason="enough for today")
