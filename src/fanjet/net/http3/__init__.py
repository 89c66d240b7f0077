"""HTTP/3 on aioquic (extra `fanjet[http3]`): imported only when it is configured."""
