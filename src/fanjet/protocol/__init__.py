"""The client protocol without I/O (contract chapter 01).

Messages, codecs, codes, delta compression and tags filters.
"""
