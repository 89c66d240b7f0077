"""Keys of every foreign JSON document match in any letter case (01 §2.2), seen from outside.

Each row of the table below is one document of one kind. It is sent in every spelling of `tests.support.spelling`, and
what can be observed has to be the same as for the exact names. With `FANJET_TEST_SERVER`, another server is compared
with itself in the same way.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from websockets import ConnectionClosed

from fanjet.api.methods import METHODS
from fanjet.events.proxy import event_kinds
from fanjet.protocol.messages import Command
from tests.support.backend import http_backend
from tests.support.key_server import key_server
from tests.support.listener import HTTP_STREAM, SSE, WEBSOCKET
from tests.support.server import API_KEY, Server
from tests.support.signers import ECSigner, key_of
from tests.support.signers import token as signed_by
from tests.support.spelling import SPELLINGS
from tests.support.stream_client import stream_opened
from tests.support.tokens import SECRET, base64url, token
from tests.support.wire_client import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conftest import StartServer
    from tests.support.conversation import Conversation
    from tests.support.spelling import Spelling

    Write = Callable[[str], str]
    """Writes a template in one spelling."""

ALL_ALLOWED = {
    "presence": True,
    "history_size": 10,
    "history_ttl": "300s",
    "allow_recovery": True,
    "allow_tags_filter": True,
    "allow_subscribe_for_client": True,
    "allow_subscribe_for_anonymous": True,
    "allow_publish_for_client": True,
    "allow_publish_for_anonymous": True,
    "allow_presence_for_client": True,
    "allow_presence_for_anonymous": True,
    "allow_history_for_client": True,
    "allow_history_for_anonymous": True,
}
STREAMS = {"http_stream": {"enabled": True}, "sse": {"enabled": True}}
ONE_WAY = {"uni_websocket": {"enabled": True}, "uni_sse": {"enabled": True}, "uni_http_stream": {"enabled": True}}
SERVER: dict[str, Any] = {
    "client": {"allowed_origins": ["*"], "subscription_token": {"enabled": True, "hmac_secret_key": SECRET}},
    "channel": {"without_namespace": ALL_ALLOWED, "namespaces": [{"name": "closed", "presence": True}]},
    **STREAMS,
    **ONE_WAY,
}
BARRIER = {"id": 4_000_000_000, "unsubscribe": {"channel": "barrier"}}

_CHANGING = re.compile(r'"(client|session|node|epoch|version|uid|name)": "[^"]*"')
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COUNTING = re.compile(r'"(ttl|time|num_\w+|uptime)": [0-9]+')


def normalised(observed: Any, tag: str) -> Any:
    """What was observed, without what differs from run to run."""
    text = json.dumps(observed, sort_keys=True).replace(tag, "TAG")
    text = _UUID.sub("ID", text)
    return json.loads(_COUNTING.sub(r'"\1": 0', _CHANGING.sub(r'"\1": ""', text)))


async def compared(observe: Callable[[Write, str], Awaitable[Any]]) -> Any:
    """Observe every spelling side by side, and compare each with the exact one that it is to equal. Returns what the
    exact one gave."""

    async def one(spelling: Spelling) -> Any:
        tag = uuid.uuid4().hex
        return normalised(await observe(lambda template: spelling.write(template).replace("@TAG@", tag), tag), tag)

    seen = dict(zip((one.id for one in SPELLINGS), await asyncio.gather(*map(one, SPELLINGS)), strict=True))
    differing = {one.id: seen[one.id] for one in SPELLINGS if seen[one.id] != seen[one.same_as]}
    assert not differing, f"exact: {seen['exact']}, with null last: {seen['exact-null-last']}"
    return seen["exact"]


def signed(claims: str, header: str = '{"typ":"JWT","alg":"HS256"}') -> str:
    """A token of these texts."""
    text = f"{base64url(header.encode())}.{base64url(claims.encode())}"
    return f"{text}.{base64url(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())}"


async def talked(client: Conversation, *frames: str, closes: bool = False) -> list[Any]:
    """All that comes for frames that are sent one after another, and how the connection ended if it did. `closes`: it
    has to end, maybe after the last reply."""
    seen: list[Any] = []
    try:
        for number, frame in enumerate(frames):
            await client.send_frame(frame)
            barrier = {**BARRIER, "id": BARRIER["id"] + number}
            await client.send(barrier)
            while (message := await client.receive()).get("id") != barrier["id"]:
                seen.append(message)
    except (AssertionError, ConnectionClosed) as error:
        if isinstance(error, AssertionError) and "closed with" not in str(error):
            raise
        closes = True
    if closes:
        seen.append(await client.closed())
    return seen


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(SERVER)


# ------------------------------------------------------------------------------------------------- client commands

CONNECT = '{"id":1,"connect":{}}'
JOINED = (CONNECT, '{"id":2,"subscribe":{"channel":"@TAG@"}}', '{"id":3,"publish":{"channel":"@TAG@","data":1}}')
CHANNEL = '«channel: "@TAG@" | "decoy"»'

COMMANDS = {
    "connect": (
        '{"<id>":1,"<connect>":{"<name>":"js","<version>":"1","<data>":{"Data":1},"<subs>":{"@TAG@":{"<recover>":true,'
        '"<epoch>":"e","<offset>":1}},«token: "@TOKEN@" | "decoy"»}}'
    ),
    "subscribe": (
        '{"<id>":4,"<subscribe>":{"<recoverable>":true,"<positioned>":true,"<recover>":true,"<tf>":{"<op>":"or","<nodes>"'
        ':[{"<key>":"K","<cmp>":"eq","<val>":"v"},{"<key>":"K","<cmp>":"in","<vals>":["w"]}]},'
        '"<data>":{"Channel":1},«channel: "@TAG@-2" | "decoy"»}}'
    ),
    "unsubscribe": '{"<id>":4,"<unsubscribe>":{' + CHANNEL + "}}",
    "publish": '{"<id>":4,"<publish>":{"<data>":{"Channel":"x","Data":{"Id":1}},' + CHANNEL + "}}",
    "presence": '{"<id>":4,"<presence>":{' + CHANNEL + "}}",
    "presence_stats": '{"<id>":4,"<presence_stats>":{' + CHANNEL + "}}",
    "history": '{"<id>":4,"<history>":{"<limit>":5,"<reverse>":true,' + CHANNEL + "}}",
    "ping": '{"<id>":4,«ping: {} | {"a":1}»}',
    "send": '{«send: {"data":1} | {"data":2}»}',
    "rpc": '{"<id>":4,"<rpc>":{"<data>":{"Method":1},«method: "none" | "decoy"»}}',
    "refresh": '{"<id>":4,"<refresh>":{«token: "@TOKEN@" | "decoy"»}}',
    "sub_refresh": '{"<id>":4,"<sub_refresh>":{"<token>":"@SUBTOKEN@",' + CHANNEL + "}}",
}


def test_every_command_has_a_row() -> None:
    assert COMMANDS.keys() == set(Command.__struct_fields__) - {"id"}


@pytest.mark.parametrize("command", COMMANDS)
async def test_commands(server: Server, command: str) -> None:
    async def observe(write: Write, tag: str) -> Any:
        user = token("u" + tag, exp=int(time.time()) + 3600)
        subscription = token("u" + tag, channel=tag, exp=int(time.time()) + 3600)
        document = write(COMMANDS[command]).replace("@TOKEN@", user).replace("@SUBTOKEN@", subscription)
        before = [] if command == "connect" else [frame.replace("@TAG@", tag) for frame in JOINED]
        before[:1] = [json.dumps({"id": 1, "connect": {"token": user}})] if before else []
        async with opened(server) as client:
            seen = await talked(client, *before, document)
            for tags in ({"K": "v"}, {"K": "w"}, {"K": "x"}):
                await server.api("publish", {"channel": f"{tag}-2", "data": 5, "tags": tags})
            if not any(isinstance(message, tuple) for message in seen):
                seen += await talked(client, "{}")
        presence = await server.api("presence", {"channel": tag})
        return seen, presence, await server.api("history", {"channel": tag, "limit": 9})

    seen, _, _ = await compared(observe)
    assert seen


# ------------------------------------------------------------------------------------------------- one-way connects

ONE_WAY_CONNECT = '{"<name>":"n","<subs>":{"@TAG@":{"<recover>":true,"<epoch>":"e"}},«token: "@TOKEN@" | "decoy"»}'


async def first_answer(server: Server, transport: str, document: str) -> Any:
    """The first message of a one-way connection, or how the server refuses it."""
    async with aiohttp.ClientSession() as http:
        if transport == WEBSOCKET:
            async with http.ws_connect(f"{server.url}/connection/uni_websocket") as socket:
                await socket.send_str(document)
                message = await socket.receive(10)
                return message.data, socket.close_code
        if transport == SSE:
            asked = http.get(f"{server.url}/connection/uni_sse", params={"cf_connect": document})
        else:
            asked = http.post(f"{server.url}/connection/uni_http_stream", data=document)
        async with asked as response:
            lines = []
            while response.status == 200 and not any(b"{" in line for line in lines):
                lines.append(await asyncio.wait_for(response.content.readline(), 10))
            return response.status, [line.decode() for line in lines]


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE, HTTP_STREAM])
async def test_one_way_connects(server: Server, transport: str) -> None:
    async def observe(write: Write, tag: str) -> Any:
        claims = {"channels": [tag], "exp": int(time.time()) + 3600}
        answer = await first_answer(server, transport, write(ONE_WAY_CONNECT).replace("@TOKEN@", token(tag, **claims)))
        found = re.findall(r"\{.*\}", str(answer))
        return [json.loads(one.encode().decode("unicode_escape")) for one in found] or answer

    assert "TAG" in json.dumps(await compared(observe))


async def test_cf_connect_of_two_way_streams(server: Server) -> None:
    async def observe(write: Write, tag: str) -> Any:
        document = write(COMMANDS["connect"]).replace("@TOKEN@", token("u" + tag, channels=[tag]))
        async with stream_opened(server, "sse") as client:
            await client.open(document)
            assert client.response is not None
            return await client.receive() if client.response.status == 200 else client.response.status

    assert "TAG" in json.dumps(await compared(observe))


@pytest.mark.parametrize("transport", ["http_stream", "sse"])
async def test_emulation(server: Server, transport: str) -> None:
    template = '{"<session>":"@SESSION@","<node>":"@NODE@",«data: "@COMMAND@" | "{}"»}'
    command = json.dumps(json.dumps({"id": 9, "publish": {"channel": "@TAG@", "data": {"Id": 1}}}))[1:-1]

    async def observe(write: Write, tag: str) -> Any:
        async with stream_opened(server, transport) as client:
            await client.connect(token=token(tag))
            body = write(template).replace("@SESSION@", client.session).replace("@NODE@", client.node)
            status = await client.post_emulation(body.replace("@COMMAND@", command.replace("@TAG@", tag)).encode())
            seen: Any = None
            if status == 204:
                try:
                    seen = await client.receive()
                except AssertionError:
                    seen = await client.closed()
        return status, seen, await server.api("history", {"channel": tag, "limit": 9})

    assert (await compared(observe))[0] == 204


# ------------------------------------------------------------------------------------------------- server API

TARGET = '"<user>":"u@TAG@"'
OVERRIDE = '"<override>":{"<presence>":{"<value>":true},"<force_recovery>":{"<value>":true}}'
API = {
    "publish": '{"<data>":{"Data":1},"<tags>":{"K":"v"},"<idempotency_key>":"k@TAG@","<skip_history>":false,'
    + CHANNEL
    + "}",
    "broadcast": '{"<b64data>":"e30=","<skip_history>":true,«channels: ["@TAG@","@TAG@-2"] | ["decoy"]»}',
    "subscribe": '{"<user>":"u@TAG@","<b64info>":"e30=","<data>":{"A":1},'
    '"<recover_since>":{"<offset>":0,"<epoch>":"x"},' + OVERRIDE + ',«channel: "@TAG@-3" | "decoy"»}',
    "unsubscribe": "{" + TARGET + "," + CHANNEL + "}",
    "disconnect": '{"<disconnect>":{"<code>":4321,"<reason>":"Enough"},"<whitelist>":["x"],«user: "u@TAG@" | "decoy"»}',
    "refresh": '{"<expired>":true,«user: "u@TAG@" | "decoy"»}',
    "presence": "{" + CHANNEL + "}",
    "presence_stats": "{" + CHANNEL + "}",
    "history": '{"<limit>":3,"<reverse>":true,"<since>":{"<offset>":2,"<epoch>":"@EPOCH@"},' + CHANNEL + "}",
    "history_remove": "{" + CHANNEL + "}",
    "info": "{«unknown: 1 | 2»}",
    "channels": '{«pattern: "@TAG@*" | "decoy"»}',
    "rpc": '{"<params>":{"A":1},«method: "none" | "decoy"»}',
    "map_publish": '{"<key>":"k","<data>":{},"<key_mode>":"if_new",' + CHANNEL + "}",
    "map_remove": '{"<key>":"k",' + CHANNEL + "}",
    "map_read_state": '{"<cursor>":"","<limit>":3,' + CHANNEL + "}",
    "map_read_stream": '{"<since_offset>":1,"<limit>":3,' + CHANNEL + "}",
    "map_stats": "{" + CHANNEL + "}",
    "map_clear": "{" + CHANNEL + "}",
    "shared_poll_publish": '{"<key>":"k","<version>":1,"<data>":{},' + CHANNEL + "}",
}


def test_every_api_method_has_a_row() -> None:
    assert API.keys() == METHODS.keys()


async def posted(server: Server, path: str, document: str) -> Any:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}/api{path}", data=document.encode(), headers={"X-API-Key": API_KEY}) as response,
    ):
        text = await response.text()
        try:
            return response.status, [json.loads(line) for line in text.splitlines()]
        except ValueError:
            return response.status, text


ENVELOPES = {
    "request": ("/@METHOD@", "@REQUEST@"),
    "batch": (
        "/batch",
        '{"<parallel>":false,"<commands>":[{"<@METHOD@>":@REQUEST@},{"<rpc>":{"<method>":"none"}}]}',
    ),
    "legacy": ("", '{"<id>":7,"<method>":"@METHOD@","<params>":@REQUEST@}'),
}


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("method", API)
async def test_server_api(server: Server, method: str, envelope: str) -> None:
    path, frame = (part.replace("@METHOD@", method) for part in ENVELOPES[envelope])

    async def observe(write: Write, tag: str) -> Any:
        user = token("u" + tag, exp=int(time.time()) + 3600)
        joined = [
            json.dumps({"id": 1, "connect": {"token": user}}),
            *(frame.replace("@TAG@", tag) for frame in JOINED[1:]),
        ]
        async with opened(server) as client:
            await talked(client, *joined)
            epoch = (await server.api("history", {"channel": tag}))["epoch"]
            document = write(frame.replace("@REQUEST@", API[method])).replace("@EPOCH@", epoch)
            answer = await posted(server, path, document)
            seen = await talked(client, "{}")
        history = await server.api("history", {"channel": tag, "limit": 9})
        return answer if method != "info" else answer[0], seen, history

    await compared(observe)


# ------------------------------------------------------------------------------------------------- tokens

NOW = int(time.time())
PAST, FUTURE = NOW - 1000, NOW + 100_000

CONNECTION_CLAIMS = {
    "sub": ('{"<channels>":["@TAG@"],"<info>":{"A":1},«sub: "@TAG@" | "decoy"»}', None),
    "exp": (f'{{"<sub>":"@TAG@",«exp: {PAST} | {FUTURE}»}}', 109),
    "nbf": (f'{{"<sub>":"@TAG@",«nbf: {FUTURE} | {PAST}»}}', 109),
    "jti": ('{"<sub>":"@TAG@",«jti: 5 | "j"»}', 3500),
    "aud": ('{"<sub>":"@TAG@",«aud: {} | "a"»}', 3500),
    "expire_at": (f'{{"<sub>":"@TAG@",«expire_at: {FUTURE} | {PAST}»}}', None),
    "channel": ('{"<sub>":"@TAG@",«channel: "c" | ""»}', 3500),
    "subs": (
        '{"<sub>":"@TAG@",«subs: {"@TAG@":{"<b64info>":"e30=","<b64data>":"e30=","<override>":{"<presence>":{"<value>":'
        "false}}}} | {}»}",
        None,
    ),
    "b64info": ('{"<sub>":"@TAG@","<channels>":["@TAG@"],«b64info: "e30=" | "?"»}', None),
    "unknown": ('{"<sub>":"@TAG@","<Channels_>":["x"],"expireAt":1,"SUB_":"x",«jti: "j" | "k"»}', None),
}
SUBSCRIPTION_CLAIMS = {
    "channel": ('{"<sub>":"@TAG@","<info>":{"A":1},«channel: "closed:@TAG@" | "decoy"»}', None),
    "client": ('{"<sub>":"@TAG@","<channel>":"closed:@TAG@",«client: "another" | "@CLIENT@"»}', 3500),
    "exp": (f'{{"<sub>":"@TAG@","<channel>":"closed:@TAG@",«exp: {PAST} | {FUTURE}»}}', 109),
    "sub": ('{"<channel>":"closed:@TAG@",«sub: "another" | "@TAG@"»}', 3500),
    "override": (
        '{"<sub>":"@TAG@","<channel>":"closed:@TAG@",«override: {"<presence>":{"<value>":false}} | {}»}',
        None,
    ),
}


def connecting(text: str) -> str:
    """The connect command with a token."""
    return json.dumps({"id": 1, "connect": {"token": text}})


def ends(code: int | None) -> bool:
    """Whether it is the code of a disconnect."""
    return code is not None and code >= 3000


def outcome(seen: list[Any]) -> int | None:
    """The code of the error or disconnect that ended it."""
    for message in seen:
        if isinstance(message, list):
            return int(message[0])
        if "error" in message:
            return int(message["error"]["code"])
    return None


@pytest.mark.parametrize("claim", CONNECTION_CLAIMS)
async def test_connection_claims(server: Server, claim: str) -> None:
    template, code = CONNECTION_CLAIMS[claim]

    async def observe(write: Write, tag: str) -> Any:
        async with opened(server) as client:
            seen = await talked(client, connecting(signed(write(template))), closes=ends(code))
            return seen, await server.api("presence", {"channel": tag})

    seen, _ = await compared(observe)
    assert outcome(seen) == code


@pytest.mark.parametrize("claim", SUBSCRIPTION_CLAIMS)
async def test_subscription_claims(server: Server, claim: str) -> None:
    template, code = SUBSCRIPTION_CLAIMS[claim]

    async def observe(write: Write, tag: str) -> Any:
        async with opened(server) as client:
            client_id = (await client.connect(token=token(tag)))["client"]
            subscribe = {"channel": f"closed:{tag}", "token": signed(write(template).replace("@CLIENT@", client_id))}
            seen = await talked(client, json.dumps({"id": 7, "subscribe": subscribe}), closes=ends(code))
            return seen, await server.api("presence", {"channel": f"closed:{tag}"})

    seen, _ = await compared(observe)
    assert outcome(seen) == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param('{"<typ>":"JWT",«alg: "HS256" | "HS384"»}', None, id="alg"),
        pytest.param('{"<typ>":"JWT",«alg: "none" | "HS256"»}', 3500, id="alg-none"),
        pytest.param('{"<alg>":"HS256","<typ>":"JWT",«kid: 1 | "k"»}', 3500, id="kid"),
    ],
)
async def test_headers(server: Server, header: str, code: int | None) -> None:
    async def observe(write: Write, tag: str) -> Any:
        async with opened(server) as client:
            text = signed(json.dumps({"sub": tag}), write(header))
            return await talked(client, connecting(text), closes=ends(code))

    assert outcome(await compared(observe)) == code


@pytest.mark.parametrize(("claim", "wanted"), [("aud", "audience"), ("iss", "issuer")])
async def test_audience_and_issuer(shared_server: StartServer, claim: str, wanted: str) -> None:
    server = shared_server({"client": {"token": {"hmac_secret_key": SECRET, wanted: "right"}}})
    for value, decoy, code in (("right", "wrong", None), ("wrong", "right", 3500)):
        template = f'{{"<sub>":"@TAG@",«{claim}: "{value}" | "{decoy}"»}}'

        async def observe(write: Write, tag: str, template: str = template, code: int | None = code) -> Any:
            async with opened(server) as client:
                return await talked(client, connecting(signed(write(template))), closes=ends(code))

        assert outcome(await compared(observe)) == code


async def test_key_sets(private_server: StartServer) -> None:
    signer = ECSigner()
    jwk = key_of(signer, "k")
    x = jwk.pop("x")
    members = ",".join(f'"<{name}>":{json.dumps(value)}' for name, value in jwk.items())
    template = f'{{"<keys>":[{{{members},«x: "{x}" | "AAAA"»}}]}}'
    async with key_server() as keys:
        url = f"{keys.base}/{{{{set}}}}/jwks.json"
        numbers = itertools.count()
        issuers = "|".join(f"set{number}" for number in range(len(SPELLINGS)))
        section = {"jwks_public_endpoint": url, "issuer_regex": f"^(?P<set>{issuers})$"}
        server = private_server({"client": {"token": {"hmac_secret_key": "", **section}}})

        async def observe(write: Write, tag: str) -> Any:
            issuer = f"set{next(numbers)}"
            keys.documents[f"/{issuer}/jwks.json"] = write(template).encode()
            async with opened(server) as client:
                text = signed_by(signer, {"sub": tag, "iss": issuer}, kid="k")
                return await talked(client, connecting(text))

        assert outcome(await compared(observe)) is None


# ------------------------------------------------------------------------------------------------- proxy replies

ERROR = '«error: {"<code>":1234,"<message>":"No","<temporary>":true} | null»'
DISCONNECT = '«disconnect: {"<code>":4567,"<reason>":"Out"} | null»'
RESULTS = {
    "connect": '{"<result>":{"<channels>":["@TAG@"],"<b64info>":"e30=","<data>":{"A":1},"<subs>":{"@TAG@-2":{'
    '"<b64data>":"e30=","<override>":{"<presence>":{"<value>":true}}}},«user: "u@TAG@" | "decoy"»}}',
    "refresh": '{"<result>":{«expired: true | false»}}',
    "subscribe": '{"<result>":{"<b64data>":"e30=","<override>":{"<presence>":{"<value>":true}},«info: {"A":1} | {}»}}',
    "publish": '{"<result>":{"<skip_history>":true,«data: {"Changed":1} | {}»}}',
    "sub_refresh": '{"<result>":{«expired: true | false»}}',
    "rpc": '{"<result>":{«data: {"A":1} | {}»}}',
}
REPLIES = [
    *((event, "result", template) for event, template in RESULTS.items()),
    *((event, "error", "{" + ERROR + "}") for event in RESULTS),
    *((event, "disconnect", "{" + DISCONNECT + "}") for event in RESULTS),
]
REFUSALS = {"error": 1234, "disconnect": 4567}
PROLONGING = {"refresh": 3005, "sub_refresh": 2501}


def test_every_kind_of_proxy_reply_has_rows() -> None:
    found = {kind.name for kind in vars(event_kinds).values() if isinstance(kind, event_kinds.EventKind)}
    assert RESULTS.keys() == found


class Replies:
    """A backend that answers each connection as its row says."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        event = request.path.rpartition("/")[2]
        body = await request.json()
        tag = body["user"].removeprefix("u") if event != "connect" else body["name"]
        return web.Response(text=self.documents.get((event, tag)) or self._usual(event, tag))

    def _usual(self, event: str, tag: str) -> str:
        """The reply to what a row is not about. What the row's event is to refresh expires soon."""
        refreshed = {"connect": "refresh", "subscribe": "sub_refresh"}.get(event)
        result: dict[str, Any] = {"user": f"u{tag}"} if event == "connect" else {}
        if (refreshed, tag) in self.documents:
            result["expire_at"] = int(time.time()) + 2
        return json.dumps({"result": result})


@pytest.fixture
async def replies() -> AsyncIterator[tuple[Replies, str]]:
    replies = Replies()
    async with http_backend() as backend:
        for event in RESULTS:
            backend.on(event, replies.answer)
        yield replies, backend.base


def proxied(base: str) -> dict[str, Any]:
    def at(event: str) -> dict[str, Any]:
        return {"endpoint": f"{base}/{event}", "timeout": "5s"}

    asked = {"subscribe_proxy_enabled": True, "history_size": 10, "history_ttl": "300s"}
    return {
        "client": {
            "allowed_origins": ["*"],
            "presence_update_interval": "400ms",
            "expired_sub_close_delay": "100ms",
            "proxy": {"connect": {"enabled": True, **at("connect")}, "refresh": {"enabled": True, **at("refresh")}},
        },
        "channel": {
            "without_namespace": ALL_ALLOWED,
            "proxy": {"subscribe": at("subscribe"), "publish": at("publish"), "sub_refresh": at("sub_refresh")},
            "namespaces": [
                {"name": "asked", **asked},
                {"name": "pub", "publish_proxy_enabled": True, **ALL_ALLOWED},
                {"name": "brief", "subscribe_proxy_enabled": True, "sub_refresh_proxy_enabled": True},
            ],
        },
        "rpc": {"proxy": at("rpc"), "without_namespace": {"proxy_enabled": True}},
    }


EVENT_COMMANDS = {
    "subscribe": {"subscribe": {"channel": "asked:@TAG@"}},
    "publish": {"publish": {"channel": "pub:@TAG@", "data": {"a": 1}}},
    "sub_refresh": {"subscribe": {"channel": "brief:@TAG@"}},
    "rpc": {"rpc": {"method": "m", "data": {"a": 1}}},
}


@pytest.mark.parametrize(("event", "member", "template"), REPLIES, ids=["-".join(row[:2]) for row in REPLIES])
async def test_proxy_replies(
    private_server: StartServer, replies: tuple[Replies, str], event: str, member: str, template: str
) -> None:
    backend, base = replies
    server = private_server(proxied(base))

    async def observe(write: Write, tag: str) -> Any:
        backend.documents[event, tag] = write(template)
        async with opened(server) as client:
            frames = [json.dumps({"id": 1, "connect": {"name": tag}})]
            if event in EVENT_COMMANDS:
                frames.append(json.dumps({"id": 2, **EVENT_COMMANDS[event]}).replace("@TAG@", tag))
            disconnects = member == "disconnect" and event not in PROLONGING and not write(template).endswith("null}")
            seen = await talked(client, *frames, closes=disconnects)
            if event in PROLONGING and not any(isinstance(one, tuple) for one in seen):
                seen.append(await ended(client, event))
        channel = {"subscribe": f"asked:{tag}", "publish": f"pub:{tag}"}.get(event, tag)
        return seen, await server.api("history", {"channel": channel, "limit": 9})

    seen, _ = await compared(observe)
    if event in PROLONGING:
        assert str(PROLONGING[event]) in str(seen[-1])
    elif member in REFUSALS:
        assert outcome(seen) == REFUSALS[member]
    else:
        assert outcome(seen) is None


async def ended(client: Conversation, event: str) -> Any:
    """How a connection or subscription ends that its backend does not prolong."""
    return await client.closed() if event == "refresh" else await client.push()
