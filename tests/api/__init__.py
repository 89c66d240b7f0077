"""The server API, method by method on a node in memory, over real HTTP, and on a whole server."""
