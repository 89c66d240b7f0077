"""The readiness endpoint (10 D, extension)."""

import json

from fanjet.operations.health import Readiness, Stage, readiness_endpoint


class Answered:
    def respond(self, status, body=b"", content_type=b"", headers=()):
        self.status, self.body = status, json.loads(body)


def respond(readiness: Readiness) -> Answered:
    exchange = Answered()
    readiness_endpoint(readiness)(exchange)  # type: ignore[arg-type]
    return exchange


def test_a_server_is_not_ready_while_it_starts_or_stops():
    readiness = Readiness(list)
    answers = []
    for stage in (Stage.STARTING, Stage.SERVING, Stage.STOPPING):
        readiness.stage = stage
        answer = respond(readiness)
        answers.append((answer.status, answer.body))
    assert answers == [
        (503, {"reasons": ["the server is starting"]}),
        (200, {}),
        (503, {"reasons": ["the server is shutting down"]}),
    ]


def test_a_server_is_not_ready_while_an_engine_is_unreachable():
    lost = ["NATS"]
    readiness = Readiness(lambda: lost)
    readiness.stage = Stage.SERVING
    assert (respond(readiness).status, respond(readiness).body) == (503, {"reasons": ["NATS cannot be reached"]})
    lost.clear()
    assert respond(readiness).status == 200
