"""The engines: mxnet, which nothing else imports, set up and called; and a oneDNN of its own.

It must not know about minpy's arrays, policies or derivatives: it deals in ``numpy.ndarray``,
``mxnet.nd.NDArray`` and operator names. From the ground up: `installation` (which mxnet there is),
`loading` (the engine's set-up, the import), `memory` (arrays that NumPy and MXNet share),
`openmp` (threads), `operators` (one at a time), `graphs` (many at once). `onednn` is that library's
C interface, `sgemm` its product of matrices.
"""

from minpy.runtime.description import report
from minpy.runtime.graphs import Graph, SymbolValue, backward, mark, symbolic, variable
from minpy.runtime.loading import (
    available,
    build,
    installed,
    library,
    load,
    num_gpus,
    postponed,
    synchronous,
    usable_cores,
    why_unavailable,
)
from minpy.runtime.memory import (
    Unsupported,
    address,
    borrow,
    copy_to,
    is_ndarray,
    numpy_shapes,
    supports,
    view,
)
from minpy.runtime.openmp import forked, one_thread, parallel_region, threads
from minpy.runtime.operators import eager

__all__ = [
    "Graph",
    "SymbolValue",
    "Unsupported",
    "address",
    "available",
    "backward",
    "borrow",
    "build",
    "copy_to",
    "eager",
    "forked",
    "installed",
    "is_ndarray",
    "library",
    "load",
    "mark",
    "num_gpus",
    "numpy_shapes",
    "one_thread",
    "parallel_region",
    "postponed",
    "report",
    "supports",
    "symbolic",
    "synchronous",
    "threads",
    "usable_cores",
    "variable",
    "view",
    "why_unavailable",
]
