"""Behaviour of every presence manager, through its interface (07 §1.2, §3.5)."""

from fanjet.protocol.publication import ClientInfo

ALICE = ClientInfo("alice", "c1", b'{"name":"Alice"}', b'{"role":"admin"}')


async def test_an_unknown_channel_is_empty(presence):
    assert await presence.presence("news") == {}
    assert await presence.presence_stats("news") == (0, 0)


async def test_entries_are_kept_by_client(presence):
    anonymous = ClientInfo("", "c2")
    await presence.add("news", "c1", ALICE)
    await presence.add("news", "c2", anonymous)
    assert await presence.presence("news") == {"c1": ALICE, "c2": anonymous}
    assert await presence.presence("other") == {}


async def test_adding_again_refreshes_the_entry(presence):
    await presence.add("news", "c1", ALICE)
    changed = ClientInfo("alice", "c1", b'{"name":"Alicia"}')
    await presence.add("news", "c1", changed)
    assert await presence.presence("news") == {"c1": changed}
    assert await presence.presence_stats("news") == (1, 1)


async def test_only_the_removed_entry_is_gone(presence):
    await presence.add("news", "c1", ALICE)
    await presence.add("news", "c2", ClientInfo("bob", "c2"))
    await presence.remove("news", "c1", "alice")
    assert set(await presence.presence("news")) == {"c2"}
    await presence.remove("news", "c2", "bob")
    assert await presence.presence("news") == {}


async def test_removing_an_unknown_entry_does_nothing(presence):
    await presence.remove("news", "c1", "alice")
    await presence.add("news", "c1", ALICE)
    await presence.remove("news", "c2", "bob")
    await presence.remove("other", "c1", "alice")
    assert await presence.presence("news") == {"c1": ALICE}


async def test_stats_count_clients_and_distinct_users_with_anonymous_as_one(presence):
    for client, user in [("c1", "alice"), ("c2", "alice"), ("c3", "bob"), ("c4", ""), ("c5", "")]:
        await presence.add("news", client, ClientInfo(user, client))
    assert await presence.presence_stats("news") == (5, 3)


async def test_a_presence_result_does_not_change_later(presence):
    await presence.add("news", "c1", ALICE)
    read = await presence.presence("news")
    await presence.remove("news", "c1", "alice")
    assert read == {"c1": ALICE}
