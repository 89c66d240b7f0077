"""Foreign documents: keys in any letter case, in one pass over what is hostile (01 \u00a72.2)."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.api.methods import METHODS
from fanjet.api.requests import BatchRequest
from fanjet.auth.claims import AllowClaim, CapsClaim, ConnectionClaims, LabelsClaim, SubscriptionClaims
from fanjet.auth.jwks.key_set import _Set
from fanjet.auth.jwt import Header
from fanjet.events.proxy import event_kinds
from fanjet.protocol.json_encoding import lenient_decoder
from fanjet.protocol.json_encoding.document import Document
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.field_names import FieldNames, fold
from fanjet.protocol.json_encoding.members_decoder import unknown_keys
from fanjet.protocol.json_encoding.scan import MalformedJSON
from fanjet.protocol.messages import Command, ConnectRequest, EmulationRequest, PublishRequest, SubscribeRequest

REPLIES = [kind.response for kind in vars(event_kinds).values() if isinstance(kind, event_kinds.EventKind)]
TYPES: list[type[Document]] = [
    Command,
    ConnectRequest,
    EmulationRequest,
    BatchRequest,
    *(method.request_type for method in METHODS.values()),
    *REPLIES,
    Header,
    ConnectionClaims,
    SubscriptionClaims,
    LabelsClaim,
    CapsClaim,
    AllowClaim,
    _Set,
]
DECODERS = {kind: DocumentDecoder(kind) for kind in (*TYPES, PublishRequest, SubscribeRequest)}

# ------------------------------------------------------------------------------------------------- random documents

names = st.text("abKs_Z\u017f", max_size=4)
payloads = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("aK\u212a\\", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)


def values_of(kind: msgspec.inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    """Values of a field, in which objects of the contract are lists of pairs."""
    match kind:
        case msgspec.inspect.StructType():
            return objects_of(kind.cls, depth + 1) if depth < 4 else st.just(Members())
        case msgspec.inspect.ListType():
            return st.lists(values_of(kind.item_type, depth + 1), max_size=2 if depth < 3 else 0)
        case msgspec.inspect.DictType():
            return st.dictionaries(names, values_of(kind.value_type, depth + 1), max_size=2 if depth < 3 else 0)
        case msgspec.inspect.UnionType():
            (inner,) = (one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
            return values_of(inner, depth)
        case msgspec.inspect.IntType():
            return st.integers(0, 2**31 - 1)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.StrType():
            return names
    return payloads


class Members(list[tuple[str, Any]]):
    """An object whose keys are field names."""


def objects_of(struct: type, depth: int = 0) -> st.SearchStrategy[Members]:
    fields = [
        st.tuples(st.just(field.encode_name), values_of(field.type, depth))
        for field in msgspec.inspect.type_info(struct).fields  # type: ignore[attr-defined]
    ]
    if not fields:
        return st.just(Members())
    return st.lists(st.one_of(fields), max_size=4 if depth < 3 else 1, unique_by=lambda member: member[0]).map(Members)


def recased(draw: Any, name: str) -> str:
    """The text of a key that means the same, as it stands between quotes."""
    letters = []
    for letter in name:
        forms = [letter, letter.upper(), f"\\u{ord(letter):04x}", f"\\u{ord(letter.upper()):04X}"]
        forms += {"s": ["\u017f"], "k": ["\u212a"]}.get(letter, [])
        letters.append(draw(st.sampled_from(forms)))
    return "".join(letters)


def written(value: Any, key: Any) -> str:
    if isinstance(value, Members):
        return "{" + ",".join(f'"{key(name)}":{written(inner, key)}' for name, inner in value) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(inner, key)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner, key) for inner in value) + "]"
    return json.dumps(value)


def outcome(decode: Any, text: str) -> Any:
    try:
        return decode(text.encode())
    except MalformedJSON:
        return MalformedJSON


@given(st.data())
def test_letter_case_of_keys_changes_nothing(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(TYPES))
    document = data.draw(objects_of(kind))
    decode_exact = written(document, lambda name: name)
    other = written(document, lambda name: recased(data.draw, name))
    expected = outcome(DECODERS[kind].decode, decode_exact)
    assert expected is not MalformedJSON
    assert outcome(DECODERS[kind].decode, other) == expected
    assert outcome(lambda text: lenient_decoder.decode(text, kind), other) == expected


@given(st.data())
def test_unknown_keys_change_nothing(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(TYPES))
    document = data.draw(objects_of(kind))
    with_more = Members([*document, ("unknown_key", 1), ("Other", [{"A": None}])])
    expected = outcome(DECODERS[kind].decode, written(document, lambda name: name))
    assert outcome(DECODERS[kind].decode, written(with_more, lambda name: name)) == expected


# ------------------------------------------------------------------------------------------------- single rules


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ('{"Channel":"a"}', "a"),
        ('{"channel":"a","Channel":"b"}', "b"),
        ('{"Channel":"b","channel":"a"}', "a"),
        ('{"channel":"a","CHANNEL":"b","channel":"c"}', "c"),
        ('{"CHANNEL":"a","channel":"b","CHANNEL":"c"}', "c"),
        ('{"\\u0063hannel":"a"}', "a"),
        ('{"channel":"a","Channel":null}', "a"),
        ('{"Chan_nel":"a"}', ""),
        ('{"channel ":"a"}', ""),
    ],
)
def test_which_key_counts(text: str, channel: str) -> None:
    assert DECODERS[Command].decode(f'{{"ID":1,"Publish":{text}}}'.encode()).publish == PublishRequest(channel=channel)


def test_payloads_and_names_stay_as_written() -> None:
    text = b'{"Publish":{"Data":{"Channel" : 1, "channel":2}},"Connect":{"Headers":{"A":"1","a":"2"}}}'
    command = DECODERS[Command].decode(text)
    assert command.publish is not None
    assert command.connect is not None
    assert bytes(command.publish.data) == b'{"Channel" : 1, "channel":2}'
    assert command.connect.headers == {"A": "1", "a": "2"}


@pytest.mark.parametrize("key", ["\u017f\u212a", "SK", "sK", "\u017fk"])
def test_folding(key: str) -> None:
    assert fold(key) == "sk"


@pytest.mark.parametrize("key", ["\u0130d", "s\u0131", "\uff53", "\xdf"])
def test_other_letters_do_not_fold_to_ascii(key: str) -> None:
    assert not fold(key).isascii()


def test_names_have_to_differ_by_more_than_letter_case() -> None:
    with pytest.raises(ValueError, match="letter case"):
        FieldNames({"a": 1, "A": 2})


def test_structs_that_ignore_keys_are_refused() -> None:
    Lax = msgspec.defstruct("Lax", [("channel", str, "")])  # noqa: N806
    Holder = msgspec.defstruct("Holder", [("inner", list[Lax], [])], bases=(Document,), frozen=True)  # noqa: N806
    with pytest.raises(TypeError, match="Lax in Holder is no Document"):
        DocumentDecoder(Holder)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (b'{"err":{"code":1},"Denied":true}', ["err", "Denied"]),
        (b'{"err":1,"RESULT":null}', []),
        (b"{}", []),
        (b"null", []),
        (b"not json", []),
    ],
)
def test_unknown_keys_of_replies(text: bytes, keys: list[str]) -> None:
    assert unknown_keys(event_kinds.SUBSCRIBE.response, text) == keys


# ------------------------------------------------------------------------------------------------- hostile documents

HOSTILE = {
    "odd-case": lambda size: ",".join(f'"Channe{number}L":1' for number in range(size)),
    "one-key-repeated": lambda size: ",".join(f'"{"cC"[number % 2]}hannel":"x"' for number in range(size)),
    "folding-letters": lambda size: ",".join(f'"\u017f\u212a{number}":1' for number in range(size)),
    "escapes": lambda size: ",".join(f'"\\u0043hannel{number}":1' for number in range(size)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_documents_cost_linear_time(kind: str) -> None:
    def seconds(size: int) -> float:
        text = ("{" + HOSTILE[kind](size) + "}").encode()
        started = time.process_time()
        DECODERS[PublishRequest].decode(text)
        return time.process_time() - started

    few = min(seconds(10_000) for _ in range(3))
    assert seconds(100_000) < 10 * few * 5 + 0.05


def test_deep_nesting_costs_linear_time() -> None:
    def seconds(depth: int) -> float:
        text = ('{"Tf":' + '{"Nodes":[' * depth + '{"Op":"x"}' + "]}" * depth + "}").encode()
        started = time.process_time()
        DECODERS[SubscribeRequest].decode(text)
        return time.process_time() - started

    few = min(seconds(300) for _ in range(3))
    assert seconds(3000) < 10 * few * 5 + 0.05
