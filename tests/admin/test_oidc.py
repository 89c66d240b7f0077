"""Logins by OpenID Connect as programs see them (10 I.1)."""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.admin.auth.login_token import issue
from tests.admin.oidc import SECRET
from tests.support.signers import EdSigner, RSASigner, key_of, rsa_signer, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.admin.oidc import StartVouching, Vouching

INFO = '{"method":"info"}'


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def tampered(text: str) -> str:
    """The text with another letter in its middle."""
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


async def status_of(vouching: Vouching, headers: dict[str, str]) -> int:
    """What a command of the admin API is answered with."""
    return (await vouching.ask("/admin/api", "POST", data=INFO, headers=headers))[0]


# ---------------------------------------------------------------------------------------------- the page has the tokens


async def test_the_page_is_told_how_to_log_in(vouching: StartVouching) -> None:
    asked = await vouching()
    status, body, _ = await asked.ask("/admin/init")
    assert (status, json.loads(body)) == (
        200,
        {
            "insecure": False,
            "edition": "oss",
            "authenticated": False,
            "oidc": {
                "pkce": True,
                "display_name": "Continue with Example",
                "authority": asked.base,
                "client_id": "console",
                "redirect_uri": "https://console.example/ops/",
                "scope": "openid",
            },
        },
    )
    _, _, page = await asked.ask("/")
    assert f"connect-src 'self' {asked.base} https:;" in page.headers["Content-Security-Policy"]


async def test_tokens_of_the_provider_are_verified(vouching: StartVouching) -> None:
    asked = await vouching()
    good = asked.token()
    head, claims, signature = good.split(".")
    expected: dict[str, int] = {
        good: 200,
        asked.token(aud=["other", "console"]): 200,
        asked.token(aud="other"): 401,
        asked.token(aud=[]): 401,
        asked.token(iss="https://else.example"): 401,
        asked.token(exp=int(time.time()) - 1): 401,
        asked.token(exp=None): 401,
        asked.token(nbf=int(time.time()) + 300): 401,
        asked.token(kid=""): 401,
        asked.token(kid="k2"): 401,
        asked.token(signer=rsa_signer(1)): 401,
        f"{head}.{claims}.{signature[:-4]}AAAA": 401,
        f"{head}.{claims}.": 401,
        "no-token": 401,
        asked.token(groups=["visitors"]): 403,
        asked.token(groups=None): 403,
        asked.token(groups="operators"): 403,
    }
    assert {token: await status_of(asked, bearer(token)) for token in expected} == expected
    assert await status_of(asked, {}) == 401
    assert await status_of(asked, {"Authorization": good}) == 401
    assert claims not in asked.server.log


async def test_keys_that_do_not_say_what_they_are_for_will_do(vouching: StartVouching) -> None:
    asked = await vouching()
    signer = EdSigner()
    asked.keys = [{"kid": "k3", **signer.jwk()}, key_of(RSASigner(), "k4", use="enc")]
    assert await status_of(asked, bearer(asked.token(signer=signer, kid="k3"))) == 200


async def test_nothing_else_logs_in_any_more_but_the_key_of_programs(vouching: StartVouching) -> None:
    asked = await vouching()
    assert (await asked.ask("/admin/auth", "POST", data={"password": "unused"}))[:2] == (400, "Bad Request\n")
    assert await status_of(asked, {"Authorization": f"token {issue('s' * 32, time.time())}"}) == 401
    assert await status_of(asked, {"X-API-Key": "the key"}) == 200


async def test_init_tells_who_is_logged_in_even_without_access(vouching: StartVouching) -> None:
    asked = await vouching()
    for groups in (["operators"], ["visitors"]):
        _, body, _ = await asked.ask("/admin/init", headers=bearer(asked.token(groups=groups)))
        assert json.loads(body)["authenticated"] is True


async def test_a_provider_that_is_away_is_told_as_such(vouching: StartVouching) -> None:
    asked = await vouching()
    asked.base += "x"  # it calls itself something else
    token = asked.token(iss=asked.server.config["admin"]["oidc"]["issuer"])
    assert await status_of(asked, bearer(token)) == 503
    assert "it calls itself" in asked.server.log


# ---------------------------------------------------------------------------------------------- the server has them


async def test_a_login_leads_through_the_provider_to_a_cookie(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    query, _ = await asked.begin()
    assert {name: query[name] for name in query if name not in ("state", "nonce", "code_challenge")} == {
        "tenant": "1",
        "response_type": "code",
        "client_id": "console",
        "redirect_uri": "https://console.example/ops/admin/oidc/callback",
        "scope": "openid",
        "code_challenge_method": "S256",
    }
    where, cookies = await asked.log_in()
    assert where == "../../"
    assert cookies["fanjet_admin_login"] == ""
    exchange = asked.exchanges[0]
    assert exchange["code"] == "the-code"
    assert exchange["grant_type"] == "authorization_code"
    assert exchange["redirect_uri"] == query["redirect_uri"]
    credentials = f"console:{SECRET.replace(' ', '+')}"
    assert exchange["authorization"] == f"Basic {b64encode(credentials.encode()).decode()}"
    session = {"Cookie": f"a=b; fanjet_admin={cookies['fanjet_admin']}"}
    assert await status_of(asked, session) == 200
    for secret in (asked.answer[1]["id_token"].split(".")[1], SECRET, "the-code", cookies["fanjet_admin"]):
        assert secret not in asked.server.log


@pytest.mark.parametrize("name", [str.title, str.upper, str.swapcase, lambda name: name.upper().replace("S", "\u017f")])
async def test_the_documents_of_the_provider_may_have_keys_in_any_letter_case(
    vouching: StartVouching, name: Callable[[str], str]
) -> None:
    asked = await vouching(secret=SECRET)
    asked.name = name
    query, cookie = await asked.begin()
    claims = {"iss": asked.base, "aud": "console", "exp": int(time.time()) + 600, "nonce": query["nonce"]}
    own = {"groups": ["operators"]}  # a name of the expression's
    text = token(rsa_signer(), {name(claim): value for claim, value in claims.items()} | own, kid="k1")
    asked.answer = (200, {"id_token": text})
    _, cookies = await asked.come_back(cookie, state=query["state"], code="the-code")
    assert await status_of(asked, {"Cookie": f"fanjet_admin={cookies['fanjet_admin']}"}) == 200


async def test_cookies_are_for_the_path_that_browsers_see(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    _, _, init = await asked.ask("/admin/init")
    attributes = {part.strip() for part in init.headers["Set-Cookie"].split(";")[1:]}
    assert attributes == {"Path=/ops/admin/", "Max-Age=900", "HttpOnly", "Secure", "SameSite=Lax"}


async def test_the_verifier_of_the_login_is_sent_with_the_code(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    asked.methods = ["client_secret_post"]
    query, cookie = await asked.begin()
    asked.answer = (200, {"id_token": asked.token(nonce=query["nonce"])})
    await asked.come_back(cookie, state=query["state"], code="c")
    exchange = asked.exchanges[0]
    challenge = urlsafe_b64encode(sha256(exchange["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert challenge == query["code_challenge"]
    assert (exchange["client_id"], exchange["client_secret"], exchange["authorization"]) == ("console", SECRET, "")


async def test_tabs_of_one_browser_share_a_login(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    first, cookie = await asked.begin()
    second, _ = await asked.begin(cookie)
    other, _ = await asked.begin()
    assert first["state"] == second["state"] != other["state"]


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"groups": ["visitors"]}, "access"),
        ({"nonce": "another"}, "token"),
        ({"aud": "other"}, "token"),
        ({"exp": 1}, "token"),
        ({"padding": "x" * 4000}, "token"),
    ],
)
async def test_tokens_that_are_not_as_they_should_be_log_nobody_in(
    vouching: StartVouching, claims: dict[str, Any], problem: str
) -> None:
    asked = await vouching(secret=SECRET)
    query, cookie = await asked.begin()
    asked.answer = (200, {"id_token": asked.token(**{"nonce": query["nonce"], **claims})})
    where, cookies = await asked.come_back(cookie, state=query["state"], code="c")
    assert where == f"../../#/login?problem={problem}"
    assert "fanjet_admin" not in cookies


async def test_a_browser_that_did_not_begin_is_not_logged_in(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    query, cookie = await asked.begin()
    stale = "../../#/login?problem=stale"
    wrong = (("", query["state"]), (cookie, "guessed"), (tampered(cookie), query["state"]), (cookie, ""))
    for brought, state in wrong:
        assert (await asked.come_back(brought, state=state, code="c"))[0] == stale
    assert asked.exchanges == []


async def test_what_the_provider_refuses_is_told(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    query, cookie = await asked.begin()
    where, _ = await asked.come_back(cookie, state=query["state"], error="access_denied")
    assert where == "../../#/login?problem=refused"
    for answer in ((400, {"error": "invalid_grant"}), (200, {}), (500, {"id_token": "x"}), (200, {"id_token": 5})):
        asked.answer = answer
        where, _ = await asked.come_back(cookie, state=query["state"], code="c")
        assert where == "../../#/login?problem=provider"


async def test_sessions_end_where_they_should(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    _, cookies = await asked.log_in()
    value = cookies["fanjet_admin"]
    session = {"Cookie": f"fanjet_admin={value}"}
    assert await status_of(asked, session | {"Sec-Fetch-Site": "same-origin"}) == 200
    assert await status_of(asked, session | {"Sec-Fetch-Site": "cross-site"}) == 401
    assert await status_of(asked, session | {"Sec-Fetch-Site": "same-site"}) == 401
    assert await status_of(asked, {"Cookie": f"fanjet_admin={tampered(value)}"}) == 401
    assert await status_of(asked, bearer(asked.token())) == 401
    assert (await asked.ask("/admin/logout"))[0] == 405
    assert (await asked.ask("/admin/oidc/callback", "POST"))[0] == 405
    status, _, answer = await asked.ask("/admin/logout", "POST", headers=session)
    assert status == 200
    assert answer.headers["Set-Cookie"].startswith("fanjet_admin=; Path=/ops/admin/; Max-Age=0;")


async def test_without_a_provider_to_ask_there_is_no_address(vouching: StartVouching) -> None:
    asked = await vouching(secret=SECRET)
    asked.base += "x"
    _, body, _ = await asked.ask("/admin/init")
    assert json.loads(body)["oidc"] == {"pkce": False, "display_name": "Continue with Example", "auth_url": ""}
