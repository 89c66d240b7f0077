"""The server API: what an application's backend asks of the node (05)."""
