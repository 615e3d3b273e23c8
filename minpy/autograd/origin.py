"""Where the user's program made an operation, for tracebacks of derivatives; knows no operation.

A pass back runs long after the line that made an operation. An error in its derivative gets that
line into its traceback, between the call that asked for the derivative and the rule.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType, TracebackType

__all__ = ["Place", "located", "place"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

Place = tuple[CodeType, int]  # code and instruction: no frame, which would keep its variables


def place() -> Place | None:
    """Return where the innermost code outside of the package is now."""
    # The trace, the primitive's two calls, and then it may be the user's line.
    frame: FrameType | None = sys._getframe(4)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def located(error: BaseException, where: Place | None, operation: str) -> BaseException:
    """Return the error with a line of the user's in its traceback, below the line raising it."""
    if where is None or error.__traceback__ is None:
        return error
    code, instruction = where
    frame = _frame(code.co_filename, f"{code.co_name}, derivative of {operation}")
    line = _line(code, instruction)
    return error.with_traceback(TracebackType(error.__traceback__.tb_next, frame, -1, line))


def _line(code: CodeType, instruction: int) -> int:
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def _frame(filename: str, name: str) -> FrameType:
    """Return a frame that says it is of a file and a function."""
    found: list[FrameType] = []
    code = compile("note()", filename, "exec").replace(co_name=name)
    exec(code, {"note": lambda: found.append(sys._getframe(1))})
    return found[0]
