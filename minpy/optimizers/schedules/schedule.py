"""The base of learning-rate schedules: a function of the step; knows no optimizer."""

from __future__ import annotations

from typing import Any

__all__ = ["LearningRateSchedule"]


class LearningRateSchedule:
    """A learning rate as a function of the optimizer's step.

    A subclass writes ``__call__(step)``, and ``get_config()`` if it is to be saved.

    Examples
    --------
    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5 ** (step // 1000)
    >>> Halving()(2500)
    0.025
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, the first of which is 0."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(step)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        raise NotImplementedError(
            f"{type(self).__name__} has no get_config(), so it can't be saved; return the "
            "arguments of its constructor as a dict"
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Make a schedule of what `get_config` returned."""
        return cls(**config)


def positive_steps(owner: Any, name: str, value: Any) -> None:
    """Raise `ValueError` unless a number of steps is positive."""
    if not value > 0:
        raise ValueError(f"{type(owner).__name__}: expected {name} > 0, got {value!r}")
