"""The node: live connections, channels with local subscribers, fan-out, and operations from the cluster."""
