"""Tokens by public and by published keys, patterns and mapped claims on a running server (03 §6, §14.4)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.key_server import key_server
from tests.support.server import free_port, merge
from tests.support.signers import ECSigner, EdSigner, base64url, key_of, public_pem, rsa_signer
from tests.support.signers import token as signed
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import WireClient, connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

RSA = rsa_signer()
OTHER = rsa_signer(1)
EC = ECSigner()
ED = EdSigner()
INVALID = (3500, "invalid token")
TEMPORARY = {"code": 100, "message": "internal server error", "temporary": True}


def tokens(section: dict[str, Any], **client: Any) -> dict[str, Any]:
    """A configuration with this section for tokens, quick ticks and a namespace that needs tokens."""
    return {
        "client": {"token": section, "presence_update_interval": "1s", **client},
        "channel": {
            "namespaces": [
                {"name": "closed"},
                {"name": "staff", "subscribe_cel": "meta.role == 'admin'"},
                {"name": "eu", "subscribe_cel": "labels.region == 'eu'"},
            ]
        },
    }


async def outcome(server: Server, text: str) -> Any:
    """What comes of connecting: the user's id, the error, or how the connection is closed."""
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {"token": text}})
        try:
            reply = await client.receive()
        except AssertionError:
            return await client.closed()
        return reply.get("error", "connected")


async def ended(client: WireClient, **command: Any) -> tuple[int | None, str | None]:
    """How the connection ends by a command."""
    await client.send({"id": 100, **command})
    return await client.closed()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(signed(RSA, {"sub": "u"}), "connected", id="rs256"),
        pytest.param(signed(RSA, {"sub": "u"}, algorithm="RS512"), "connected", id="rs512"),
        pytest.param(signed(EC, {"sub": "u"}), "connected", id="es256"),
        pytest.param(token("u"), "connected", id="hs256"),
        pytest.param(signed(OTHER, {"sub": "u"}), INVALID, id="another-key"),
        pytest.param(signed(ECSigner("ES384"), {"sub": "u"}), INVALID, id="another-curve"),
        pytest.param(signed(ED, {"sub": "u"}), INVALID, id="eddsa"),
    ],
)
async def test_public_keys_of_the_configuration(shared_server: StartServer, text: str, expected: Any) -> None:
    server = shared_server(tokens({"rsa_public_key": public_pem(RSA), "ecdsa_public_key": public_pem(EC)}))
    assert await outcome(server, text) == expected


async def test_published_keys(private_server: StartServer) -> None:  # 03-12
    async with key_server(
        key_of(RSA, "rsa"), key_of(ED, "ed"), key_of(EC, "enc", use="enc"), {"kid": "no-use", **EC.jwk()}
    ) as published:
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        assert await outcome(server, signed(RSA, {"sub": "u"}, kid="rsa")) == "connected"
        assert await outcome(server, signed(RSA, {"sub": "v"}, kid="rsa")) == "connected"
        assert await outcome(server, signed(ED, {"sub": "u"}, kid="ed")) == "connected"
        assert len(published.requests) == 1
        assert await outcome(server, signed(RSA, {"sub": "u"})) == INVALID
        assert await outcome(server, token("u")) == INVALID
        assert await outcome(server, signed(OTHER, {"sub": "u"}, kid="rsa")) == INVALID
        assert len(published.requests) == 1
        for kid in ("enc", "no-use", "unknown"):
            assert await outcome(server, signed(EC, {"sub": "u"}, kid=kid)) == INVALID
        published.publish(key_of(OTHER, "new"))
        assert await outcome(server, signed(OTHER, {"sub": "u"}, kid="new")) == "connected"
        assert await outcome(server, signed(RSA, {"sub": "u"}, kid="rsa")) == "connected"


async def test_commands_wait_while_a_key_is_fetched(private_server: StartServer) -> None:
    async with key_server(key_of(RSA, "1")) as published:
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        async with opened(server) as client:
            may_subscribe = signed(RSA, {"sub": "u", "channel": "closed:x"}, kid="1")
            await client.send(
                {"id": 1, "connect": {"token": signed(RSA, {"sub": "u"}, kid="1")}},
                {"id": 2, "subscribe": {"channel": "closed:x", "token": may_subscribe}},
                {"id": 3, "subscribe": {"channel": "closed:y"}},
            )
            assert [(await client.receive())["id"] for _ in range(3)] == [1, 2, 3]
        assert len(published.requests) == 1


async def test_who_leaves_while_a_key_is_fetched_leaves_nothing_behind(private_server: StartServer) -> None:
    async with key_server(key_of(RSA, "1")) as published:
        published.silent = True
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        async with opened(server) as client:
            await client.send({"id": 1, "connect": {"token": signed(RSA, {"sub": "u", "channels": ["x"]}, kid="1")}})

            async def is_asked_for() -> bool:
                return bool(published.requests)

            await until(is_asked_for)
        published.silent = False

        async def is_fetched() -> bool:
            return await outcome(server, signed(RSA, {"sub": "u"}, kid="1")) == "connected"

        await until(is_fetched)
        assert (await server.api("channels"))["channels"] == {}


async def test_a_shutdown_takes_along_who_waits_for_a_key(private_server: StartServer) -> None:
    async with key_server(key_of(RSA, "1")) as published:
        published.silent = True
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        async with opened(server) as client:
            await client.send({"id": 1, "connect": {"token": signed(RSA, {"sub": "u"}, kid="1")}})

            async def is_asked_for() -> bool:
                return bool(published.requests)

            await until(is_asked_for)
            assert await asyncio.to_thread(server.stop) == 0
            assert await client.closed() == (3001, "shutdown")


def connection(user: str = "u", **claims: Any) -> str:
    return signed(RSA, {"sub": user, "exp": int(time.time()) + 60, **claims}, kid="1")


def subscription(kid: str = "1", **claims: Any) -> str:
    return signed(RSA, {"sub": "u", "channel": "closed:x", "exp": int(time.time()) + 60, **claims}, kid=kid)


async def test_an_unknown_key_makes_the_token_of_any_command_invalid(private_server: StartServer) -> None:  # 03-15.7
    async with key_server(key_of(RSA, "1")) as published:
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        unknown = signed(RSA, {"sub": "u"}, kid="2")
        assert await outcome(server, unknown) == INVALID
        async with connected(server, connection()) as client:
            assert await client.error(subscribe={"channel": "closed:x", "token": subscription("2")}) == 103
            await client.subscribe("closed:x", token=subscription())
            assert await ended(client, sub_refresh={"channel": "closed:x", "token": subscription("2")}) == INVALID
        async with connected(server, connection()) as client:
            assert await ended(client, refresh={"token": unknown}) == INVALID


async def test_an_outage_is_a_temporary_error_of_any_command(private_server: StartServer) -> None:  # d18
    async with key_server(key_of(RSA, "1")) as published:
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        async with connected(server, connection()) as client:
            await client.subscribe("closed:x", token=subscription())
            published.statuses = [500] * 100
            new = signed(RSA, {"sub": "u", "exp": int(time.time()) + 90}, kid="new")
            assert await client.call(refresh={"token": new}) == {"error": TEMPORARY}
            assert await client.call(sub_refresh={"channel": "closed:x", "token": subscription("new")}) == {
                "error": TEMPORARY
            }
            assert await client.call(sub_refresh={"token": subscription("new")}) == {"error": TEMPORARY}
            other = subscription("new", channel="closed:y")
            assert await client.call(subscribe={"channel": "closed:y", "token": other}) == {"error": TEMPORARY}
            assert await outcome(server, new) == TEMPORARY
            known = await client.call(refresh={"token": connection(exp=int(time.time()) + 90)})
            assert known["expires"], "keys that are known are not affected"
            published.statuses = []
            published.publish(key_of(RSA, "new"))
            assert (await client.call(refresh={"token": new}))["expires"]


async def test_made_up_key_ids_are_not_asked_for_without_end(private_server: StartServer) -> None:  # d18
    async with key_server(key_of(RSA, "1")) as published:
        server = private_server(tokens({"jwks_public_endpoint": published.url}))
        async with connected(server, connection()) as client:
            for number in range(30):
                made_up = subscription(f"made up {number}")
                assert await client.error(subscribe={"channel": "closed:x", "token": made_up}) == 103
            await client.subscribe("closed:x", token=subscription())
        assert len(published.requests) < 15


async def test_issuers_choose_the_key_set(private_server: StartServer) -> None:  # 03-13
    async with key_server() as published:
        published.publish(key_of(RSA, "1"), path="/aa/keys")
        published.publish(key_of(OTHER, "1"), path="/bb/keys")
        section = {
            "jwks_public_endpoint": published.base + "/{{t}}/keys",
            "issuer_regex": "^https://(?P<t>aa|bb)$",
        }
        server = private_server(tokens(section))
        assert await outcome(server, signed(RSA, {"iss": "https://aa"}, kid="1")) == "connected"
        assert await outcome(server, signed(RSA, {"iss": "https://cc"}, kid="1")) == INVALID
        assert await outcome(server, signed(RSA, {"iss": "https://bb"}, kid="1")) == INVALID
        assert await outcome(server, signed(OTHER, {"iss": "https://bb"}, kid="1")) == "connected"
        assert published.requests == ["/aa/keys", "/bb/keys"]


async def test_the_host_may_depend_on_the_issuer(private_server: StartServer) -> None:  # d18
    async with key_server(key_of(RSA, "1")) as published:
        section = {
            "jwks_public_endpoint": published.url.replace("127.0.0.1", "{{host}}"),
            "issuer_regex": r"^https://(?P<host>127\.0\.0\.1|localhost)$",
        }
        server = private_server(tokens(section))
        assert await outcome(server, signed(RSA, {"iss": "https://127.0.0.1"}, kid="1")) == "connected"


SUB_KEYS = {"subscription_token": {"enabled": True, "ecdsa_public_key": public_pem(EC)}}


async def test_subscription_tokens_may_have_keys_of_their_own(shared_server: StartServer) -> None:  # 03-14
    server = shared_server(tokens({"rsa_public_key": public_pem(RSA)}, **SUB_KEYS))
    async with connected(server, connection()) as client:
        assert await client.error(subscribe={"channel": "closed:x", "token": subscription()}) == 103
        await client.subscribe("closed:x", token=signed(EC, {"sub": "u", "channel": "closed:x"}))


REALM = {"roles": ["user", "admin"], "region": "eu"}
MAPPINGS = {
    "meta_from_claim": [{"key": "role", "value": "realm.roles.1"}],
    "labels_from_claim": [{"key": "region", "value": "realm.region"}],
}


async def allowed(server: Server, text: str) -> list[str]:
    """What a connection with this token may subscribe to."""
    async with connected(server, text) as client:
        replies = {name: await client.call(subscribe={"channel": f"{name}:x"}) for name in ("staff", "eu")}
    return [name for name, reply in replies.items() if "error" not in reply]


async def test_claims_become_meta_and_labels(shared_server: StartServer) -> None:
    server = shared_server(tokens(MAPPINGS))
    assert await allowed(server, token("u", realm=REALM)) == ["staff", "eu"]
    assert await allowed(server, token("u")) == []
    assert await allowed(server, token("u", meta={"role": "admin"}, labels={"region": "eu"})) == ["staff", "eu"]
    assert await allowed(server, token("u", realm={"region": "us"}, labels={"region": "eu"})) == []


async def test_several_providers(private_server: StartServer) -> None:
    async with key_server() as published:
        published.publish(key_of(RSA, "1"), path="/aa")
        published.publish(key_of(OTHER, "1"), path="/bb")
        providers = [
            {"name": "aa", "enabled": True, "endpoint": published.base + "/aa", "issuer": "a", **MAPPINGS},
            {"name": "bb", "enabled": True, "endpoint": published.base + "/bb", "issuer": "b", "audience": "chat"},
        ]
        server = private_server(tokens({"jwks": {"enabled": True, "providers": providers}}))
        assert await allowed(server, signed(RSA, {"iss": "a", "realm": REALM}, kid="1")) == ["staff", "eu"]
        assert await allowed(server, signed(OTHER, {"iss": "b", "aud": ["x", "chat"], "realm": REALM}, kid="1")) == []
        assert await outcome(server, signed(OTHER, {"iss": "b"}, kid="1")) == INVALID
        assert await outcome(server, signed(RSA, {"iss": "c"}, kid="1")) == INVALID
        assert await outcome(server, token("u", iss="a")) == INVALID


@pytest.mark.parametrize(
    ("section", "message", "reason"),
    [
        pytest.param(
            {"rsa_public_key": "x"},
            "error creating JWT verifier config",
            "error parsing RSA public key: key must be PEM encoded",
            id="rsa",
        ),
        pytest.param(
            {"audience": "a", "audience_regex": "a"},
            "error creating token verifier",
            "can not use both token_audience and token_audience_regex, configure only one of them",
            id="03-9-audience",
        ),
        pytest.param(
            {"issuer": "a", "issuer_regex": "a"},
            "error creating token verifier",
            "can not use both token_issuer and token_issuer_regex, configure only one of them",
            id="03-9-issuer",
        ),
        pytest.param(
            {"jwks_public_endpoint": "http://a/{{t}}", "issuer_regex": "^https://(?P<t>[a-z]+)$"},
            "error creating token verifier",
            "issuer_regex contains character class syntax",
            id="03-13-unsafe",
        ),
        pytest.param(
            {"jwks": {"enabled": True}, "jwks_public_endpoint": "http://a/k"},
            "error validating config",
            "jwks_public_endpoint can not be used together with enabled jwks.providers",
            id="14.4-both",
        ),
    ],
)
def test_settings_that_cannot_work_keep_the_server_from_starting(
    private_server: StartServer, section: dict[str, Any], message: str, reason: str
) -> None:
    with pytest.raises(RuntimeError, match="exit status 1") as failed:
        private_server(tokens(section))
    assert f'"message":"{message}"' in str(failed.value)
    assert reason in str(failed.value)


async def reload(server: Server, section: dict[str, Any], message: str) -> None:
    said = server.log.count(message)
    (server.folder / "config.json").write_text(json.dumps(merge(server.config, {"client": {"token": section}})))
    os.kill(server.pid, signal.SIGHUP)

    async def is_said() -> bool:
        return server.log.count(message) > said

    await until(is_said)


async def test_keys_may_change_while_the_server_runs(private_server: StartServer) -> None:
    server = private_server(tokens({"rsa_public_key": public_pem(RSA)}))
    async with connected(server, connection()) as client:
        await reload(server, {"rsa_public_key": public_pem(OTHER)}, "configuration successfully reloaded")
        assert await outcome(server, signed(RSA, {"sub": "u"})) == INVALID
        assert await outcome(server, signed(OTHER, {"sub": "u"})) == "connected"
        await reload(server, {"rsa_public_key": "x"}, "error reloading: error parsing RSA public key: ")
        assert await outcome(server, signed(OTHER, {"sub": "u"})) == "connected"
        async with key_server(key_of(EC, "1")) as published:
            section = {"jwks_public_endpoint": published.url, "rsa_public_key": ""}
            await reload(server, section, "configuration successfully reloaded")
            assert await outcome(server, signed(OTHER, {"sub": "u"}, kid="1")) == INVALID
            assert await outcome(server, signed(EC, {"sub": "u"}, kid="1")) == "connected"
        assert await client.error(subscribe={"channel": "closed:x"}) == 103


async def test_the_start_tells_how_tokens_are_verified(private_server: StartServer) -> None:
    section = {"ecdsa_public_key": public_pem(EC)}
    subscriptions = {"enabled": True, "jwks_public_endpoint": f"http://me:secret@127.0.0.1:{free_port()}/keys"}
    server = private_server(tokens(section, subscription_token=subscriptions))
    lines = [json.loads(line) for line in server.log.splitlines()]
    by_message = {line["message"]: line for line in lines}
    assert by_message["enabled JWT verifiers"]["algorithms"] == "HS256, HS384, HS512, ES256"
    assert "initializing separate verifier for subscription tokens" in by_message
    assert "me:xxxxx@" in by_message["JWKS manager created"]["endpoint"]
    assert "secret@" not in server.log


async def test_a_signature_may_be_of_any_size(shared_server: StartServer) -> None:
    server = shared_server(tokens({"rsa_public_key": public_pem(RSA), "ecdsa_public_key": public_pem(EC)}))
    for text in (signed(RSA, {"sub": "u"}), signed(EC, {"sub": "u"})):
        head = text.rpartition(".")[0]
        for signature in ("", base64url(b"x"), base64url(bytes(5000))):
            assert await outcome(server, f"{head}.{signature}") == INVALID
