"""Settings of logins by OpenID Connect (10 I.1): each refusal names key, value and reason."""

import pytest

from fanjet.config import Config
from fanjet.config.validation import problems

USABLE = {
    "enabled": True,
    "display_name": "Log in",
    "issuer": "https://login.example",
    "client_id": "console",
    "redirect_uri": "https://console.example/",
    "access_cel": "'operators' in claims.groups and claims.email_verified",
}
BY_SERVER = {"client_secret": "s", "redirect_uri": "https://console.example/ops/admin/oidc/callback"}


def found(secret: str = "", **oidc: object) -> list[str]:
    return list(problems(Config.model_validate({"admin": {"secret": secret, "oidc": USABLE | oidc}})))


def test_usable_settings_are_taken() -> None:
    assert found() == []
    assert found("x" * 32, **BY_SERVER) == []


def test_nothing_is_wrong_with_what_is_not_used() -> None:
    assert found(enabled=False, issuer="nonsense", access_cel="(") == []


@pytest.mark.parametrize("key", ["display_name", "issuer", "client_id", "redirect_uri", "access_cel"])
def test_some_keys_are_required(key: str) -> None:
    assert found(**{key: ""}) == [f"admin.oidc: {key} is required"]


@pytest.mark.parametrize("address", ["login.example", "ftp://login.example", "https://", "https://a:b", "https://a/#b"])
def test_addresses_are_checked(address: str) -> None:
    expected = f'admin.oidc: issuer: "{address}" must be an address that begins with https:// or http://'
    assert found(issuer=address) == [expected]


def test_a_short_secret_encrypts_nothing() -> None:
    expected = "admin.secret must have at least 32 characters when admin.oidc.client_secret is set"
    assert found("x" * 31, **BY_SERVER) == [expected]


def test_the_server_gets_what_it_is_sent_back_with() -> None:
    address = USABLE["redirect_uri"]
    expected = f'redirect_uri: "{address}" must end with /admin/oidc/callback when client_secret is set'
    assert found("x" * 32, client_secret="s") == [f"admin.oidc: {expected}"]


@pytest.mark.parametrize("expression", ["claims.", "user == 'x'", "1 + 1"])
def test_expressions_are_compiled(expression: str) -> None:
    (problem,) = found(access_cel=expression)
    assert problem.startswith(f'admin.oidc: access_cel: "{expression}" ')
