"""Figures: CPU, memory, latency and their report."""
