"""`fanjet configdoc` and the reference in the documentation (04 §7.6)."""

import socket
from pathlib import Path

from fanjet.cli.configdoc import entries, page, reference_markdown

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_reference_in_the_documentation_is_up_to_date():
    assert DOCUMENTATION.read_text() == reference_markdown(base_level=1), (
        "run: fanjet configdoc -m -l 1 > docs/configuration.md"
    )


def test_every_key_is_there_with_its_facts(fanjet):
    text = fanjet("configdoc", "--markdown").out
    assert "### `client.token.hmac_secret_key`\n\nType: `string` · Env: `FANJET_CLIENT_TOKEN_HMAC_SECRET_KEY`\n" in text
    assert "Type: `duration` · Default: `25s` · Env: `FANJET_CLIENT_PING_INTERVAL`" in text
    assert "`FANJET_CHANNEL_NAMESPACES_<NAME>_MAP_KEY_TTL`" in text
    assert "`FANJET_WORKERS`" in text


def test_headings_are_as_deep_as_keys_at_most_six(fanjet):
    text = fanjet("configdoc", "-m", "-s", "client.token", "-l", "2").out
    assert text.startswith("#### `client.token`\n")
    assert "\n##### `client.token.audience`\n" in text
    assert "####### " not in fanjet("configdoc", "-m", "-l", "4").out


def test_a_section_limits_what_is_shown():
    assert {entry.key.split(".")[0] for entry in entries("client.token")} == {"client"}


def test_the_page_has_a_plain_form():
    assert "<style>" in page("", simple=False)
    assert "<style>" not in page("", simple=True)
    assert 'id="http_server.port"' in page("", simple=True)


def test_a_port_in_use_is_an_error(fanjet):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        ran = fanjet("configdoc", "-p", str(taken.getsockname()[1]))
    assert ran.status == 1
    assert ran.out.startswith("Failed to start server: ")
