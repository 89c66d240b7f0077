"""`fanjet gentoken`, `gensubtoken`, `checktoken`, `checksubtoken` (04 §7.7 to §7.10)."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.signers import key_of, public_pem, rsa_signer
from tests.support.signers import token as signed


@pytest.fixture
def config(write):
    return write({"client": {"token": {"hmac_secret_key": "secret"}}})


def claims(token: str) -> dict:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.usefixtures("config")
def test_gentoken_prints_what_it_made_and_the_token(fanjet):
    ran = fanjet("gentoken", "-u", "42")
    first, token = ran.out.splitlines()
    assert first == 'HMAC SHA-256 JWT for user "42" with expiration TTL 168h0m0s:'
    assert base64.urlsafe_b64decode(token.split(".")[0] + "==") == b'{"alg":"HS256","typ":"JWT"}'
    made = claims(token)
    assert made["sub"] == "42"
    assert made["exp"] - made["iat"] == 604800
    assert abs(made["iat"] - time.time()) < 5


@pytest.mark.usefixtures("config")
def test_a_quiet_token_without_expiration_is_a_token_alone(fanjet):
    ran = fanjet("gentoken", "-q", "-t", "-1")
    assert list(claims(ran.out)) == ["iat"]
    assert not ran.out.endswith("\n")
    checked = fanjet("checktoken", ran.out)
    assert checked.status == 0
    assert checked.out.splitlines()[0] == "valid token for anonymous user"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["-t", "0"], "HMAC SHA-256 JWT for anonymous user with expiration TTL 0s:", id="zero"),
        pytest.param(["-t", "-5"], "HMAC SHA-256 JWT for anonymous user without expiration:", id="negative"),
    ],
)
@pytest.mark.usefixtures("config")
def test_the_validity_is_described(fanjet, arguments, text):
    first, token = fanjet("gentoken", *arguments).out.splitlines()
    assert first == text
    assert "exp" not in claims(token)


def test_without_a_secret_there_is_no_token(fanjet):
    ran = fanjet("gentoken")
    assert ran.status == 1
    assert ran.out.startswith(
        "error: gentoken only supports generating HMAC-signed tokens, but no HMAC secret key is set"
    )
    assert "client.token.hmac_secret_key" in ran.out


def test_a_custom_user_claim_is_set_as_well(fanjet, write):
    write({"client": {"token": {"hmac_secret_key": "secret", "user_id_claim": "uid"}}})
    token = fanjet("gentoken", "-q", "-u", "42").out
    assert claims(token)["uid"] == claims(token)["sub"] == "42"
    assert fanjet("checktoken", token).out.startswith("valid token for user 42\n")


@pytest.mark.usefixtures("config")
def test_gensubtoken_needs_a_channel(fanjet):
    ran = fanjet("gensubtoken", "-u", "42")
    assert (ran.status, ran.out) == (1, "channel is required\n")


@pytest.mark.usefixtures("config")
def test_a_subscription_token_names_its_channel(fanjet):
    first, token = fanjet("gensubtoken", "-u", "42", "-s", "room").out.splitlines()
    assert first == 'HMAC SHA-256 JWT for user "42" and channel "room" with expiration TTL 168h0m0s:'
    assert claims(token)["channel"] == "room"
    checked = fanjet("checksubtoken", token)
    assert checked.out.startswith('valid subscription token for user "42" and channel "room"\npayload: {"sub":"42",')


def test_a_separate_secret_for_subscriptions_is_used(fanjet, write):
    write(
        {"client": {"token": {"hmac_secret_key": "a"}, "subscription_token": {"enabled": True, "hmac_secret_key": "b"}}}
    )
    token = fanjet("gensubtoken", "-q", "-s", "room").out
    assert fanjet("checksubtoken", token).out.startswith(
        'valid subscription token for anonymous user and channel "room"'
    )
    write({"client": {"token": {"hmac_secret_key": "a"}}})
    assert fanjet("checksubtoken", token).status == 1


@pytest.mark.usefixtures("config")
def test_the_payload_is_shown_as_it_stands_in_the_token(fanjet):
    token = fanjet("gentoken", "-q", "-u", 'é"').out
    first, payload = fanjet("checktoken", token).out.splitlines()
    assert first == 'valid token for user é"'
    assert json.loads(payload.removeprefix("payload: ")) == claims(token)


@pytest.mark.parametrize(
    ("command", "make", "spoilt"),
    [
        pytest.param("checktoken", ["gentoken"], True, id="signature"),
        pytest.param("checktoken", ["gentoken", "-t", "1"], False, id="expired"),
        pytest.param("checktoken", ["gensubtoken", "-s", "room"], False, id="subscription-token-for-connecting"),
        pytest.param("checksubtoken", ["gentoken"], False, id="connection-token-for-subscribing"),
        pytest.param("checksubtoken", ["gensubtoken", "-s", "no:room"], False, id="unknown-namespace"),
    ],
)
@pytest.mark.usefixtures("config")
def test_a_token_that_is_not_valid_is_shown_with_its_fault(fanjet, monkeypatch, command, make, spoilt):
    with monkeypatch.context() as earlier:
        if "-t" in make:
            made_at = time.time() - 10
            earlier.setattr("fanjet.auth.token_generation.time.time", lambda: made_at)
        token = fanjet(make[0], "-q", *make[1:]).out
    signed, _, signature = token.rpartition(".")
    ran = fanjet(command, f"{signed}.{signature[::-1]}" if spoilt else token)
    assert ran.status == 1
    assert ran.out.startswith("error: token with algorithm HS256 and claims {")
    assert "has error:" in ran.out


@pytest.mark.parametrize("command", ["checktoken", "checksubtoken"])
@pytest.mark.usefixtures("config")
def test_what_is_no_token_is_an_error(fanjet, command):
    ran = fanjet(command, "abc")
    assert ran.status == 1
    assert ran.out.startswith("error: ")
    assert "has error" not in ran.out


@pytest.mark.parametrize("words", [(), ("a", "b")])
@pytest.mark.usefixtures("config")
def test_exactly_one_token_is_wanted(fanjet, words):
    ran = fanjet("checktoken", *words)
    assert (ran.status, ran.out) == (1, "error: provide token to check [fanjet checktoken <TOKEN>]\n")


RSA = rsa_signer()
GOOD = signed(RSA, {"sub": "42"}, kid="1")


def test_public_keys_are_tried(fanjet, write):
    write({"client": {"token": {"rsa_public_key": public_pem(RSA)}}})
    assert fanjet("checktoken", GOOD).out == 'valid token for user 42\npayload: {"sub": "42"}\n'
    ran = fanjet("checktoken", signed(rsa_signer(1), {"sub": "42"}))
    assert ran.status == 1
    assert ran.out.startswith('error: token with algorithm RS256 and claims {"sub": "42"} has error: invalid token: ')


@pytest.fixture
def key_set():
    """The address of a published key set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [key_of(RSA, "1")]}).encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        serving.join()


def test_published_keys_are_fetched(fanjet, write, key_set):
    write({"client": {"token": {"jwks_public_endpoint": key_set}}})
    assert fanjet("checktoken", GOOD).out.startswith("valid token for user 42\n")
    unknown = fanjet("checktoken", signed(RSA, {"sub": "42"}, kid="2"))
    assert (unknown.status, "no key with this id" in unknown.out) == (1, True)
    channel = signed(RSA, {"sub": "42", "channel": "room"}, kid="1")
    assert fanjet("checksubtoken", channel).out.startswith(
        'valid subscription token for user "42" and channel "room"\n'
    )


def test_an_endpoint_that_does_not_answer_leaves_the_question_open(fanjet, write):
    write({"client": {"token": {"jwks_public_endpoint": "http://127.0.0.1:1/keys"}}})
    ran = fanjet("checktoken", GOOD)
    assert ran.status == 1
    assert ran.out.endswith("has error: 100 internal server error\n")


@pytest.mark.parametrize("arguments", [(GOOD,), (), ("abc",)])
def test_a_key_that_is_none_is_told_before_anything_else(fanjet, write, arguments):
    write({"client": {"token": {"rsa_public_key": "x"}}})
    ran = fanjet("checktoken", *arguments)
    assert (ran.status, ran.out) == (1, "error: error parsing RSA public key: key must be PEM encoded\n")


def test_other_settings_that_cannot_work_are_told_of_a_token(fanjet, write):
    write({"client": {"token": {"audience": "a", "audience_regex": "a"}}})
    assert fanjet("checktoken").out.startswith("error: provide token to check")
    ran = fanjet("checksubtoken", GOOD)
    assert ran.status == 1
    assert ran.out.endswith(
        "has error: can not use both token_audience and token_audience_regex, configure only one of them\n"
    )
