"""What is kept of fetched keys, and how often is asked for more (03 §6.3, §15 item 7)."""

import asyncio
import json

import pytest

from fanjet.auth.errors import KeysUnavailable, TokenInvalid
from fanjet.auth.jwks.download import EndpointDown
from fanjet.auth.jwks.keyring import FETCHES_AT_ONCE, LIFETIME, SECONDS_PER_FETCH, Keyring
from tests.support.signers import ECSigner, key_of

URL = "https://a/keys"
EC = ECSigner()


class Endpoints:
    """Documents by address; waits at the gate before each answer."""

    def __init__(self):
        self.now = 1000.0
        self.keys = {URL: ["1"]}
        self.asked = []
        self.down = False
        self.malformed = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.ring = Keyring(self.download, lambda: self.now)

    async def download(self, url):
        self.asked.append(url)
        await self.gate.wait()
        if self.down:
            raise EndpointDown("down")
        if self.malformed:
            return b"<html>"
        return json.dumps({"keys": [key_of(EC, kid) for kid in self.keys[url]]}).encode()


@pytest.fixture
async def endpoints():
    return Endpoints()


async def test_a_key_is_fetched_once(endpoints):
    assert endpoints.ring.find(URL, "1") is None
    fetched = await endpoints.ring.fetch(URL, "1")
    assert list(fetched) == ["ES256"]
    assert endpoints.ring.find(URL, "1") is fetched
    assert endpoints.asked == [URL]


async def test_all_keys_of_a_set_are_kept(endpoints):
    endpoints.keys[URL] = ["1", "2"]
    await endpoints.ring.fetch(URL, "1")
    assert endpoints.ring.find(URL, "2") is not None


async def test_the_same_id_at_another_address_is_another_key(endpoints):
    endpoints.keys["https://b/keys"] = ["1"]
    await endpoints.ring.fetch(URL, "1")
    assert endpoints.ring.find("https://b/keys", "1") is None
    await endpoints.ring.fetch("https://b/keys", "1")
    assert endpoints.asked == [URL, "https://b/keys"]


async def test_a_key_is_kept_while_it_is_used(endpoints):
    await endpoints.ring.fetch(URL, "1")
    for _ in range(3):
        endpoints.now += LIFETIME - 1
        assert endpoints.ring.find(URL, "1") is not None
    endpoints.now += LIFETIME
    assert endpoints.ring.find(URL, "1") is None
    await endpoints.ring.fetch(URL, "1")
    assert len(endpoints.asked) == 2


async def test_a_key_that_is_published_later_is_found(endpoints):
    with pytest.raises(TokenInvalid):
        await endpoints.ring.fetch(URL, "2")
    endpoints.keys[URL] = ["2"]
    assert await endpoints.ring.fetch(URL, "2")
    assert endpoints.ring.find(URL, "1") is not None, "keys that are published no more run out by themselves"


async def test_who_asks_during_a_fetch_waits_for_it(endpoints):
    endpoints.keys[URL] = ["1", "2"]
    endpoints.gate.clear()
    asking = [asyncio.create_task(endpoints.ring.fetch(URL, kid)) for kid in ("1", "1", "2", "3")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    endpoints.gate.set()
    *found, unknown = await asyncio.gather(*asking, return_exceptions=True)
    assert [list(keys) for keys in found] == [["ES256"]] * 3
    assert isinstance(unknown, TokenInvalid)
    assert endpoints.asked == [URL]


async def test_who_goes_away_leaves_the_fetch_to_the_others(endpoints):
    endpoints.gate.clear()
    first, second = (asyncio.create_task(endpoints.ring.fetch(URL, "1")) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    endpoints.gate.set()
    assert await second
    assert endpoints.asked == [URL]


async def test_ids_that_do_not_exist_are_asked_for_a_few_times_only(endpoints):
    for number in range(FETCHES_AT_ONCE + 5):
        with pytest.raises(TokenInvalid):
            await endpoints.ring.fetch(URL, f"made up {number}")
    assert len(endpoints.asked) == FETCHES_AT_ONCE
    endpoints.now += SECONDS_PER_FETCH
    endpoints.keys[URL] = ["new"]
    assert await endpoints.ring.fetch(URL, "new")
    with pytest.raises(TokenInvalid):
        await endpoints.ring.fetch(URL, "another")
    assert len(endpoints.asked) == FETCHES_AT_ONCE + 1


async def test_other_addresses_are_not_affected(endpoints):
    endpoints.keys["https://b/keys"] = ["1"]
    for number in range(FETCHES_AT_ONCE + 1):
        with pytest.raises(TokenInvalid):
            await endpoints.ring.fetch(URL, f"made up {number}")
    assert await endpoints.ring.fetch("https://b/keys", "1")


async def test_an_outage_says_nothing_about_the_token(endpoints):
    endpoints.down = True
    for _ in range(FETCHES_AT_ONCE + 5):
        with pytest.raises(KeysUnavailable):
            await endpoints.ring.fetch(URL, "1")
    assert len(endpoints.asked) == FETCHES_AT_ONCE
    endpoints.down = False
    endpoints.now += SECONDS_PER_FETCH
    assert await endpoints.ring.fetch(URL, "1")


async def test_a_set_that_cannot_be_read_makes_tokens_invalid(endpoints):
    endpoints.malformed = True
    with pytest.raises(TokenInvalid):
        await endpoints.ring.fetch(URL, "1")
    endpoints.malformed = False
    assert await endpoints.ring.fetch(URL, "1")


async def test_a_failure_takes_no_key_away(endpoints):
    await endpoints.ring.fetch(URL, "1")
    endpoints.down = True
    with pytest.raises(KeysUnavailable):
        await endpoints.ring.fetch(URL, "2")
    assert endpoints.ring.find(URL, "1") is not None


async def test_what_is_not_needed_any_more_is_forgotten(endpoints):
    for number in range(20):
        endpoints.keys[f"https://a/{number}"] = [str(number)]
        await endpoints.ring.fetch(f"https://a/{number}", str(number))
    endpoints.now += LIFETIME
    await endpoints.ring.fetch(URL, "1")
    assert list(endpoints.ring._keys) == [(URL, "1")]
    assert list(endpoints.ring._addresses) == [URL]
