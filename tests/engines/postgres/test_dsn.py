"""Connection strings in the forms of the reference (08c §1)."""

from __future__ import annotations

import ssl

import pytest

from fanjet.config import ConfigError
from fanjet.config.tree.tls import Tls
from fanjet.engines.postgres.dsn import target
from tests.support.certificates import issue

KEY = "controller.postgres.dsn"


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("postgres://u:p%40@h:1/d", "postgres://u:p%40@h:1/d"),
        ("postgresql://h/d?sslmode=disable&pool_max_conns=4", "postgresql://h/d?sslmode=disable"),
        ("postgres://h/d?search_path=a&connect_timeout=5&sslsni=1", "postgres://h/d?search_path=a"),
        ("postgres://h/d?dbname=e&max_protocol_version=3.0", "postgres://h?dbname=e"),
        ("host=h port=1 user=u dbname=d", "postgresql://?host=h&port=1&user=u&dbname=d"),
        (r"host = 'a b'  password='it\'s \\'", "postgresql://?host=a+b&password=it%27s+%5C"),
        ("host=h pool_min_conns=1 description_cache_capacity=3", "postgresql://?host=h"),
    ],
)
def test_supported_parameters_are_passed_on(dsn: str, url: str) -> None:
    assert target(dsn, Tls(), KEY).options() == {"dsn": url}


@pytest.mark.parametrize(
    "parameter",
    [
        "default_query_exec_mode=simple_protocol",
        "default_query_exec_mode=exec",
        "statement_cache_capacity=0",
        "default_query_exec_mode=exec&statement_cache_capacity=512",
    ],
)
def test_no_prepared_statements_with_transaction_pooling(parameter: str) -> None:
    assert target(f"postgres://h/d?{parameter}", Tls(), KEY).options() == {
        "dsn": "postgres://h/d",
        "statement_cache_size": 0,
    }
    described = target("postgres://h?default_query_exec_mode=cache_describe", Tls(), KEY)
    assert "statement_cache_size" not in described.options()


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "  ",
        "nonsense",
        "host=h secret",
        "host='open",
        "postgres://[::1/d",
        "postgres://u:secret@h?default_query_exec_mode=fast",
    ],
)
def test_invalid_strings_are_rejected_without_showing_them(dsn: str) -> None:
    with pytest.raises(ConfigError, match=KEY) as refusal:
        target(dsn, Tls(), KEY)
    assert "secret" not in str(refusal.value)


def test_configured_tls_overrides_that_of_the_string() -> None:
    tls = Tls(enabled=True, server_ca_pem=issue().certificate)
    context = target("postgres://h/d?sslmode=disable", tls, KEY).options()["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
