"""Small graphs as one call: a list of instructions that a compiled loop goes through.

MXNet's executor takes some 10 µs for each operation of a graph. Where arrays are small that is
more than the operations themselves; here one takes as long as its arithmetic.
"""

from minpy.graph.native.program import Program, ProgramTrace, available

__all__ = ["Program", "ProgramTrace", "available"]
