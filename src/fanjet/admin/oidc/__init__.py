"""Console logins by an OpenID Connect provider (10 I.1)."""
