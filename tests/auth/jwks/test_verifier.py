"""Signatures by published keys (03 §6.3)."""

import pytest

from fanjet.auth.errors import KeysUnavailable, TokenInvalid
from fanjet.auth.jwks.endpoint import Endpoint
from fanjet.auth.jwks.verifier import JWKSVerifier
from fanjet.auth.jwt import parse_token
from tests.support.key_server import key_server
from tests.support.server import free_port
from tests.support.signers import ECSigner, EdSigner, key_of, rsa_signer, token

RSA = rsa_signer()
SIGNERS = {"rsa": RSA, "p-256": ECSigner(), "p-384": ECSigner("ES384"), "p-521": ECSigner("ES512"), "ed": EdSigner()}
KEYS = [key_of(signer, kid) for kid, signer in SIGNERS.items()]


async def verdict(verifier, text, named=None):
    accepted = verifier.verify(parse_token(text), named or {})
    return accepted if isinstance(accepted, bool) else await accepted


async def test_every_kind_of_key_verifies_its_tokens():
    async with key_server(*KEYS) as server:
        verifier = JWKSVerifier(Endpoint(server.url, "key"))
        for kid, signer in SIGNERS.items():
            assert await verdict(verifier, token(signer, {}, kid=kid))
            assert not await verdict(verifier, token(signer, {}, kid="rsa" if kid != "rsa" else "ed"))
        for algorithm in ("RS384", "RS512"):
            assert await verdict(verifier, token(RSA, {}, algorithm=algorithm, kid="rsa"))
        assert len(server.requests) == 1


async def test_a_key_that_is_here_verifies_at_once():
    async with key_server(*KEYS) as server:
        verifier = JWKSVerifier(Endpoint(server.url, "key"))
        await verdict(verifier, token(RSA, {}, kid="rsa"))
        assert verifier.verify(parse_token(token(RSA, {}, kid="rsa")), {}) is True
        assert verifier.verify(parse_token(token(rsa_signer(1), {}, kid="rsa")), {}) is False


@pytest.mark.parametrize("header", [{}, {"kid": ""}, {"kid": None}])
async def test_a_token_must_name_its_key(header):
    verifier = JWKSVerifier(Endpoint("http://127.0.0.1:1/", "key"))
    with pytest.raises(TokenInvalid, match="kid"):
        verifier.verify(parse_token(token(RSA, {}, **header)), {})


async def test_secrets_are_not_published(forge):
    async with key_server({"kid": "oct", "use": "sig", "kty": "oct", "k": "c2VjcmV0"}) as server:
        verifier = JWKSVerifier(Endpoint(server.url, "key"))
        assert not await verdict(verifier, forge({}, header={"alg": "HS256", "kid": "oct"}))
        assert not await verdict(verifier, forge({}, header={"alg": "none", "kid": "oct"}))
        assert len(server.requests) == 1, "a key that is of no use is known all the same"


async def test_the_address_depends_on_the_token():
    async with key_server() as server:
        server.publish(key_of(RSA, "1"), path="/aa/keys")
        server.publish(key_of(rsa_signer(1), "1"), path="/bb/keys")
        verifier = JWKSVerifier(Endpoint(server.base + "/{{t}}/keys", "key"))
        assert await verdict(verifier, token(RSA, {}, kid="1"), {"t": "aa"})
        assert not await verdict(verifier, token(RSA, {}, kid="1"), {"t": "bb"})
        assert await verdict(verifier, token(rsa_signer(1), {}, kid="1"), {"t": "bb"})
        with pytest.raises(TokenInvalid):
            await verdict(verifier, token(RSA, {}, kid="1"), {"t": ".."})
        assert server.requests == ["/aa/keys", "/bb/keys"]


async def test_what_goes_wrong_with_a_fetch_goes_wrong_with_the_token():
    async with key_server(*KEYS) as server:
        verifier = JWKSVerifier(Endpoint(server.url, "key"))
        with pytest.raises(TokenInvalid):
            await verdict(verifier, token(RSA, {}, kid="unknown"))
    verifier = JWKSVerifier(Endpoint(f"http://127.0.0.1:{free_port()}/", "key"))
    with pytest.raises(KeysUnavailable):
        await verdict(verifier, token(RSA, {}, kid="rsa"))
