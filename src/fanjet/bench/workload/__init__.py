"""Workloads: what the clients of a benchmark send, and at which rate."""
