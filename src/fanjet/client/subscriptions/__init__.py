"""Subscriptions of a session: establishing, periodic maintenance and ending them (01 §8)."""
