"""Engines: where publications are stored and carried, and who is present is kept (contract chapter 07)."""
