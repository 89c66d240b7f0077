"""Parsing of gRPC request headers."""

import pytest

from fanjet.net.grpc.head import CallHead, NotGrpc

FIELDS = ((b":method", b"POST"), (b":path", b"/a.B/C"), (b":authority", b"here"), (b"te", b"trailers"))
GRPC = (b"content-type", b"application/grpc")


def head(*fields: tuple[bytes, bytes]) -> CallHead:
    return CallHead((*FIELDS, *fields))


def test_metadata_are_all_fields_but_those_of_the_protocol() -> None:
    call = head(GRPC, (b"grpc-timeout", b"5S"), (b"x", b"1"), (b"x", b"2"), (b"y-bin", b"AAEC"), (b"user-agent", b"me"))
    assert (call.path, call.timeout, call.encoding) == (b"/a.B/C", 5.0, b"")
    assert call.metadata == {
        b":authority": [b"here"],
        b"content-type": [b"application/grpc"],
        b"x": [b"1", b"2"],
        b"y-bin": [b"\0\1\2"],
        b"user-agent": [b"me"],
    }
    assert call.first(b"x") == b"1"
    assert call.first(b"z") is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("4m", 0.004), ("5u", 5e-6), ("6n", 6e-9), ("99999999S", 99999999)],
)
def test_timeouts_have_units(value: str, seconds: float) -> None:
    assert head(GRPC, (b"grpc-timeout", value.encode())).timeout == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "5", "S", "5x", "-1S", "1.5S", "+1S", "123456789S", "١S"])
def test_a_timeout_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(NotGrpc, match="malformed grpc-timeout"):
        head(GRPC, (b"grpc-timeout", value.encode()))


@pytest.mark.parametrize(
    ("content_type", "subtype"),
    [(b"application/grpc", b""), (b"application/grpc+proto", b"proto"), (b"application/grpc;x=y", b"x=y")],
)
def test_any_subtype_will_do(content_type: bytes, subtype: bytes) -> None:
    assert head((b"content-type", content_type)).subtype == subtype


@pytest.mark.parametrize("content_type", [b"", b"application/json", b"application/grpcx", b"application/grpc-web"])
def test_other_content_types_are_415(content_type: bytes) -> None:
    with pytest.raises(NotGrpc) as refusal:
        head((b"content-type", content_type))
    assert refusal.value.http_status == 415


def test_other_methods_are_405() -> None:
    with pytest.raises(NotGrpc) as refusal:
        CallHead(((b":method", b"GET"), (b":path", b"/"), GRPC))
    assert refusal.value.http_status == 405


def test_broken_binary_metadata_is_400() -> None:
    with pytest.raises(NotGrpc) as refusal:
        head(GRPC, (b"x-bin", b"***"))
    assert refusal.value.http_status == 400
