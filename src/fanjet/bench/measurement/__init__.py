"""Measurements: CPU, memory and latency."""
