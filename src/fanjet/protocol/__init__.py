"""The client protocol without I/O: messages, codecs, codes, delta, tags filters (contract chapter 01)."""
