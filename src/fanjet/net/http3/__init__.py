"""HTTP/3 with aioquic (extra `fanjet[http3]`): imported only if configured."""
