"""Certificates by ACME (RFC 8555), obtained when a client first connects to a host.

Imported only if `http_server.tls_autocert` is enabled: it needs aiohttp and cryptography.
"""
