"""The rate limit of log lines."""

from fanjet.telemetry.rate_limited_log import RateLimitedLog


class Lines:
    def __init__(self) -> None:
        self.written: list[dict[str, object]] = []

    def info(self, message: str, /, **fields: object) -> None:
        self.written.append(fields)


def test_excess_lines_are_omitted_and_counted_in_the_next_line():
    lines, now = Lines(), [0.0]
    log = RateLimitedLog(lines, 2, lambda: now[0])  # type: ignore[arg-type]
    for number in range(5):
        log.info("line", number=number)
    assert [fields["number"] for fields in lines.written] == [0, 1]
    now[0] = 1.0
    log.info("line", number=9)
    log.info("line", number=10)
    assert lines.written[2:] == [{"number": 9, "omitted": 3}, {"number": 10}]
