"""A traced step as one call: a list of instructions that a compiled loop goes through.

MXNet's executor takes some 10 µs for each operation of a graph, more than a small operation itself,
and its convolutions give back plain arrays that the next one has to rearrange. Here a step takes as
long as its arithmetic: small operations are loops compiled by numba, large ones kernels of oneDNN's
that share the work among threads.

`recording` traces a step, `rewriting` makes fewer operations of it, `program` lays out memory and
instructions by what `lowerings` and the modules of single operations (`convolution`, `pooling`,
`attention`, ...) say of each; `kernels` is the loop, `instructions` its numbers, `blas` a library
that it calls; oneDNN is `minpy.runtime.onednn`.
"""

from minpy.graph.native import (
    activations,
    attention,
    batch_normalization,
    contractions,
    lowerings,
    moves,
    pooled_convolution,
    products,
    reductions,
)
from minpy.graph.native.program import Program, available
from minpy.graph.native.recording import ProgramTrace, aligned

__all__ = [
    "Program",
    "ProgramTrace",
    "activations",
    "aligned",
    "attention",
    "available",
    "batch_normalization",
    "contractions",
    "lowerings",
    "moves",
    "pooled_convolution",
    "products",
    "reductions",
]
