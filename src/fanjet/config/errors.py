"""Configuration errors."""


class ConfigError(Exception):
    """The configuration cannot be used.

    The text names key or variable, value (secrets redacted) and reason.
    """


class MisfitError(ValueError):
    """A value that is invalid for its key.

    `path` grows on the way up, from the value to the root.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def under(self, name: str) -> "MisfitError":
        """Prepend a step: a key, or a position such as `[2]`."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{name}{joint}{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason
