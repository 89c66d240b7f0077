"""What can go wrong with the server under test; everything else is a defect of the benchmark."""


class BenchError(Exception):
    """The server did not do what the scenario needs: the scenario has no figures for it."""


class NotAvailable(BenchError):  # noqa: N818 no failure
    """The server or this installation does not have what the scenario is about, which is no failure."""
