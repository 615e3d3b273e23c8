"""HIPS autograd's ``builtins``: containers need no types of their own here."""

from builtins import dict, isinstance, list, tuple, type  # noqa: UP029

__all__ = ["dict", "isinstance", "list", "tuple", "type"]
