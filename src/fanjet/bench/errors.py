"""What can go wrong with the server under test; everything else is a defect of the benchmark."""


class BenchError(Exception):
    """The server did not do what the scenario needs: the scenario has no figures for it."""
