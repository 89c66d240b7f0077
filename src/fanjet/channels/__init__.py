"""Channels: which namespace one belongs to, what its options allow, and how a subscriber recovers (03, 01 §8). Pure."""
