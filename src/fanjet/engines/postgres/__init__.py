"""Controller on PostgreSQL (07 §18)."""

from .controller import PostgresController

__all__ = ["PostgresController"]
