"""Subscriptions of a session: subscribing, periodic maintenance and their end.

See 01 §8.
"""
