"""The controller (04 §5.8)."""

from fanjet.config.tree.base import Section, option
from fanjet.config.tree.postgres import PostgresController


class Controller(Section):
    """Carries control messages between nodes in place of the broker."""

    enabled: bool = option(False, "use a separate controller for node-to-node control messages")
    type: str = option("", "postgres; anything else while enabled is a start-up error")
    postgres: PostgresController = PostgresController()
