"""Processes that a benchmark starts: servers, backends, probes."""
