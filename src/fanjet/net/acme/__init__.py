"""Certificates from an authority that speaks ACME (RFC 8555), got when a client first asks for a host.

Loaded only where `http_server.tls_autocert` is enabled: it brings aiohttp and cryptography.
"""
