"""Authentication and authorization of the admin endpoints (10 H.2)."""
