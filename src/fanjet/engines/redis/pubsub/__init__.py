"""PUB/SUB over Redis.

Subscriptions, their connections, and the supervision of these.
"""
