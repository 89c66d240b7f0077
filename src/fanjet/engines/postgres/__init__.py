"""PostgreSQL as the controller (07 §18)."""

from .controller import PostgresController

__all__ = ["PostgresController"]
