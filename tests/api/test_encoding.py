"""Results as JSON (05 §2.6)."""

import json

import pytest

from fanjet.api.encoding import PayloadNotJSON, encode_failure, encode_success
from fanjet.api.errors import ApiError, BadRequest, UnrecoverablePosition
from fanjet.api.results import (
    BroadcastResult,
    ClientInfo,
    EmptyResult,
    HistoryResult,
    NodeResult,
    PresenceResult,
    Publication,
    PublishResponse,
    PublishResult,
    Result,
    optional_payload,
)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(EmptyResult(), b"{}", id="nothing"),
        pytest.param(PublishResult(), b"{}", id="no-position"),
        pytest.param(PublishResult(2**64 - 1, "e"), b'{"offset":18446744073709551615,"epoch":"e"}', id="position"),
        pytest.param(
            BroadcastResult([PublishResponse(result=PublishResult())]),
            b'{"responses":[{"result":{}}]}',
            id="nested-empty",
        ),
        pytest.param(HistoryResult([], "", 0), b'{"publications":[],"epoch":"","offset":0}', id="always-present"),
        pytest.param(PresenceResult({}), b'{"presence":{}}', id="empty-map"),
        pytest.param(
            PresenceResult({"c": ClientInfo("", "c", optional_payload(b'{"n" :1.0}'))}),
            b'{"presence":{"c":{"user":"","client":"c","conn_info":{"n" :1.0}}}}',
            id="payload-as-written",
        ),
        pytest.param(
            NodeResult("u", "n", "v", 0, 0, 0, 0),
            b'{"uid":"u","name":"n","version":"v","num_clients":0,"num_users":0,"num_channels":0,"num_subs":0}',
            id="node",
        ),
    ],
)
def test_zero_values_are_omitted_but_for_those_always_present(result: Result, expected: bytes) -> None:
    assert encode_success(result) == b'{"result":' + expected + b"}"


@pytest.mark.parametrize("data", [b"hi", b"{", b"1,2", b'"\xff"', b" ", b"NaN", b'1},{"offset":2'])
def test_payloads_that_are_not_json_cannot_be_written(data: bytes) -> None:
    with pytest.raises(PayloadNotJSON):
        encode_success(HistoryResult([Publication(optional_payload(data))], "e", 1))


def test_deep_payloads_can_be_written() -> None:
    data = b"[" * 5000 + b"]" * 5000
    assert data in encode_success(HistoryResult([Publication(optional_payload(data))], "e", 1))


@pytest.mark.parametrize("error", [BadRequest(), UnrecoverablePosition()])
def test_errors_are_json(error: ApiError) -> None:
    assert json.loads(encode_failure(error)) == {"error": {"code": error.code, "message": error.message}}
