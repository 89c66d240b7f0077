"""The node: live connections, channels with local subscribers, fan-out, and what the cluster asks of them."""
