"""What is at the other end of the output, and printing there without tearing a progress bar."""

from __future__ import annotations

import shutil
import sys
from typing import Any


def is_terminal(stream: Any) -> bool:
    """Tell whether a person sees `stream` in a terminal (not a file, a pipe or nothing)."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream at all, or a closed one
        return False


def columns(stream: Any) -> int | None:
    """Return how many characters fit on a line there; None where there is no limit.

    A pseudo-terminal may say 0, which means that nobody told it.
    """
    if not is_terminal(stream):
        return None
    return shutil.get_terminal_size(fallback=(80, 24)).columns - 1


def in_notebook() -> bool:
    """Tell whether this code runs in a Jupyter notebook's kernel."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it; nobody else should
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def say(message: str) -> None:
    """Print a line to standard output, above a progress bar if one is being drawn."""
    tqdm = sys.modules.get("tqdm")  # without it there is no bar
    if tqdm is None:
        print(message, flush=True)
    else:
        tqdm.tqdm.write(message, file=sys.stdout)
        if sys.stdout is not None:
            sys.stdout.flush()
