"""Logins to the console by an OpenID Connect provider (10 I.1)."""
