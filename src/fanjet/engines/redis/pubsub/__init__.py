"""PUB/SUB over Redis: subscriptions, their connections, and the supervision of these."""
