"""Failures of the server under test.

Any other exception is a bug of the benchmark.
"""


class BenchError(Exception):
    """The server failed the scenario, which has no figures for it."""


class NotAvailable(BenchError):  # noqa: N818 no failure
    """The server or this installation lacks a feature that the scenario needs.

    This is not a failure.
    """
