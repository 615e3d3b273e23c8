"""``minpy.utils.log`` of minpy 0.3.4: loggers with one handler and a level."""

from __future__ import annotations

import logging
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "NOTSET", "WARNING", "get_logger"]

_FORMAT = "%(levelname).1s%(asctime)s %(process)d %(name)s:%(funcName)s:%(lineno)d] %(message)s"


def get_logger(name: str | None = None, level: int = WARNING) -> logging.Logger:
    """Return a logger that writes to stderr.

    Parameters
    ----------
    name
        Whose it is: a module's name.
    level
        What it lets through, at first; a logger that exists keeps its level.

    Examples
    --------
    >>> get_logger('example', DEBUG) is get_logger('example')
    True
    """
    logger = logging.getLogger(name)
    if name and not any(getattr(h, "of_minpy", False) for h in logger.handlers):
        handler = logging.StreamHandler()
        handler.of_minpy = True  # type: ignore[attr-defined]
        handler.setFormatter(logging.Formatter(_FORMAT, "%m%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(level)
    return logger
