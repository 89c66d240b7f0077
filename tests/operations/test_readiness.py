"""Whether a server should be sent clients (10 D, extension)."""

import json

from fanjet.operations.health import Readiness, Stage, readiness_endpoint


class Answered:
    def respond(self, status, body=b"", content_type=b"", headers=()):
        self.status, self.body = status, json.loads(body)


def ask(readiness: Readiness) -> Answered:
    exchange = Answered()
    readiness_endpoint(readiness)(exchange)  # type: ignore[arg-type]
    return exchange


def test_a_server_is_not_ready_while_it_starts_or_stops():
    readiness = Readiness(list)
    answers = []
    for stage in (Stage.STARTING, Stage.SERVING, Stage.STOPPING):
        readiness.stage = stage
        answer = ask(readiness)
        answers.append((answer.status, answer.body))
    assert answers == [
        (503, {"reasons": ["the server is starting"]}),
        (200, {}),
        (503, {"reasons": ["the server is shutting down"]}),
    ]


def test_a_server_is_not_ready_while_an_engine_is_lost():
    lost = ["NATS"]
    readiness = Readiness(lambda: lost)
    readiness.stage = Stage.SERVING
    assert (ask(readiness).status, ask(readiness).body) == (503, {"reasons": ["NATS cannot be reached"]})
    lost.clear()
    assert ask(readiness).status == 200
