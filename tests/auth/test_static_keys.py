"""Keys that stand in the configuration (03 §6.1)."""

import subprocess
import sys

import pytest

from fanjet.auth.errors import PublicKeyError
from fanjet.auth.jwt import parse_token
from fanjet.auth.static_keys import StaticKeys
from fanjet.config.tree.token import Token as TokenConfig
from tests.support.signers import ECSigner, EdSigner, public_pem, rsa_signer, token

EC = ECSigner()


@pytest.fixture
def keys(forge):
    def make(**config):
        return StaticKeys(TokenConfig(**config), forge.clock)

    return make


def test_each_algorithm_finds_its_key(keys, forge):
    configured = keys(
        hmac_secret_key="secret", rsa_public_key=public_pem(rsa_signer()), ecdsa_public_key=public_pem(EC)
    )
    assert configured.algorithms == ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256")
    for text in (
        forge({}),
        forge({}, hash_name="sha512"),
        token(rsa_signer(), {}),
        token(rsa_signer(), {}, algorithm="RS512"),
        token(EC, {}),
    ):
        assert configured.verify(parse_token(text), {})


@pytest.mark.parametrize(
    ("config", "text"),
    [
        pytest.param({"rsa_public_key": public_pem(rsa_signer())}, token(rsa_signer(1), {}), id="another-rsa-key"),
        pytest.param({"ecdsa_public_key": public_pem(EC)}, token(ECSigner(), {}), id="another-ecdsa-key"),
        pytest.param({"ecdsa_public_key": public_pem(EC)}, token(ECSigner("ES384"), {}), id="another-curve"),
        pytest.param({"rsa_public_key": public_pem(rsa_signer())}, token(EC, {}), id="no-ecdsa-key"),
        pytest.param({"ecdsa_public_key": public_pem(EC)}, token(rsa_signer(), {}), id="no-rsa-key"),
        pytest.param({"rsa_public_key": public_pem(rsa_signer())}, token(EdSigner(), {}), id="eddsa"),
        pytest.param({}, token(rsa_signer(), {}), id="no-key"),
    ],
)
def test_other_signatures_are_refused(keys, config, text):
    assert not keys(**config).verify(parse_token(text), {})


def test_a_public_key_is_never_taken_for_a_secret(keys, forge):
    pem = public_pem(rsa_signer())
    assert not keys(rsa_public_key=pem).verify(parse_token(forge({}, secret=pem)), {})


def test_a_token_cannot_choose_an_algorithm_that_its_key_does_not_have(keys):
    signed = token(rsa_signer(), {})
    _head, claims, signature = signed.split(".")
    renamed = token(EC, {}).split(".")[0]
    assert not keys(rsa_public_key=public_pem(rsa_signer()), ecdsa_public_key=public_pem(EC)).verify(
        parse_token(f"{renamed}.{claims}.{signature}"), {}
    )


def test_the_previous_secret_counts_beside_public_keys(keys, forge):
    configured = keys(hmac_previous_secret_key="old", rsa_public_key=public_pem(rsa_signer()))
    assert configured.algorithms == ("RS256", "RS384", "RS512")
    assert configured.verify(parse_token(forge({}, secret="old")), {})


@pytest.mark.parametrize(
    ("config", "key", "reason"),
    [
        pytest.param(
            {"rsa_public_key": "x"}, "rsa_public_key", "error parsing RSA public key: key must be PEM encoded", id="rsa"
        ),
        pytest.param(
            {"ecdsa_public_key": public_pem(rsa_signer())},
            "ecdsa_public_key",
            "error parsing ECDSA public key: key is not a valid ECDSA public key",
            id="ecdsa",
        ),
    ],
)
def test_a_key_that_is_none_is_refused_by_its_name(keys, config, key, reason):
    with pytest.raises(PublicKeyError) as refused:
        keys(**config)
    assert (refused.value.key, str(refused.value)) == (key, reason)


def test_only_those_who_have_such_keys_load_what_they_need():
    code = "import sys, fanjet.server.app; print([name for name in ('aiohttp', 'cryptography') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
