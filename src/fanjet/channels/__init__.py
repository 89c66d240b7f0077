"""Channels: namespaces, options, permissions and recovery decisions (03, 01 §8).

Pure.
"""
