"""Server API, called by application backends (05)."""
