"""Certificates by ACME, obtained when a client first connects to a host.

Implements RFC 8555. Imported only if `http_server.tls_autocert` is enabled: it needs aiohttp and cryptography.
"""
