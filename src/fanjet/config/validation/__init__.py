"""Validation: the rules of 04 §6 in their order, the first failure wins."""

from fanjet.config.validation.order import problems, validate

__all__ = ["problems", "validate"]
