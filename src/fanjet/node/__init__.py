"""The node: live connections, channels, fan-out and cluster operations.

It has the channels with local subscribers, and runs the operations that other nodes of the cluster send.
"""
