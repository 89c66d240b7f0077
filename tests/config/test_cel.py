"""The language of the `*_cel` keys: what compiles, and what is said about the rest (03 §14.3)."""

import subprocess
import sys

import pytest

from fanjet.config.cel import ExpressionError, _environment, compile_expression

REQUEST = {
    "subscribed": False,
    "user": "4",
    "channel": "c",
    "meta": {"roles": ["admin"], "or": True},
    "vars": {"user": "4"},
    "labels": {},
}


def value(text: str) -> object:
    return compile_expression(text).eval(data=REQUEST).value()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("user ==", r"^1:8: Syntax error: mismatched input '<EOF>'", id="syntax"),
        pytest.param(" ", r"^1:2: Syntax error", id="blank"),
        pytest.param("nobody == 'x'", r"^1:1: undeclared reference to 'nobody'", id="unknown-variable"),
        pytest.param("user.shout()", r"^1:11: undeclared reference to 'shout'", id="unknown-function"),
        pytest.param("vars.n > 1", r"^1:8: found no matching overload for '_>_'", id="types"),
        pytest.param("user", "^is string, not a boolean$", id="text"),
        pytest.param("labels", "^is map<string, string>, not a boolean$", id="map"),
        pytest.param("size(user)", "^is int, not a boolean$", id="number"),
        pytest.param("user == '\ud800'", "^is not valid Unicode$", id="half-surrogate"),
        pytest.param("(" * 99 + "true" + ")" * 99, "recursion limit exceeded", id="nested-too-deep"),
        pytest.param("user == 'a' or", "^1:15: Syntax error", id="word-at-the-end"),
    ],
)
def test_why_an_expression_does_not_compile(text, reason):
    with pytest.raises(ExpressionError, match=reason):
        compile_expression(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("vars.user == user or 'admin' in meta.roles", True, id="or"),
        pytest.param("vars.user == user and 'root' in meta.roles", False, id="and"),
        pytest.param("user == 'this or that' or user == '4'", True, id="not-in-texts"),
        pytest.param("""user == \"\"\"or\"\"\" or user == 'it\\'s and' or true""", True, id="not-in-any-kind-of-text"),
        pytest.param("meta.or and !subscribed", True, id="not-in-names-of-members"),
        pytest.param("[true].exists(or, or)", True, id="names-keep-their-meaning"),
    ],
)
def test_words_stand_for_operators_where_nothing_else_makes_sense(text, expected):
    assert value(text) is expected


def test_the_library_is_not_loaded_without_expressions():
    program = "import sys, fanjet.server.app; sys.exit(any(name.startswith('cel_expr') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    _environment.cache_clear()
    with pytest.raises(ExpressionError, match=r"fanjet\[cel\]"):
        compile_expression("true")
    _environment.cache_clear()
