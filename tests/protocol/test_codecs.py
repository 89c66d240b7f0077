"""What holds for both encodings alike."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanjet.protocol.codec import Codec, MalformedFrame
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.messages import Command
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF
from fanjet.protocol.protobuf_encoding.wire import varint
from fanjet.protocol.wire import WireFormat
from tests.protocol.messages import any_message, as_json, fill

COMMANDS = any_message(Command, incoming=True)


def frame_of(codec: Codec, commands: Sequence[Command], pb: Any) -> bytes:
    if codec is JSON:
        return b"\n".join(as_json(command).encode() for command in commands)
    bodies = [fill(pb.Command(), command).SerializeToString() for command in commands]
    return b"".join(varint(len(body)) + body for body in bodies)


@given(command=COMMANDS)
def test_both_encodings_give_the_same_command(pb: Any, command: Command) -> None:
    assert list(JSON.decode(frame_of(JSON, [command], pb))) == list(PROTOBUF.decode(frame_of(PROTOBUF, [command], pb)))


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
@settings(max_examples=40)
@given(commands=st.lists(COMMANDS, min_size=1, max_size=4))
def test_a_frame_gives_the_commands_of_its_parts(pb: Any, codec: Codec, commands: list[Command]) -> None:
    assert list(codec.decode(frame_of(codec, commands, pb))) == commands


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
def test_a_ping_is_answered_with_its_own_bytes(codec: Codec) -> None:
    assert list(codec.decode(codec.ping)) == [Command()]


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
def test_decoding_starts_with_the_first_command_asked_for(codec: Codec) -> None:
    commands = codec.decode(b"")
    with pytest.raises(MalformedFrame):
        next(commands)


def test_only_json_wants_json() -> None:
    assert (JSON.name, JSON.pushes_json) == ("json", True)
    assert (PROTOBUF.name, PROTOBUF.pushes_json) == ("protobuf", False)


def test_a_wire_format_is_compared_by_identity() -> None:
    one, other = (WireFormat("ws-json", JSON, lambda message: b"\x81" + message) for _ in range(2))
    assert one != other
    assert len({one, other}) == 2
    assert one.frame(one.codec.ping) == b"\x81{}"
    assert repr(one) == "<WireFormat ws-json>"
