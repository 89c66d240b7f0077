"""Protobuf definitions of the proxy protocol, used as JSON over HTTP (06 §15)."""
