"""``minpy.visualization.summaryOps`` of minpy 0.3.4: summaries to give to a writer.

>>> import minpy.numpy as np
>>> scalarSummary('loss', np.array([0.5])).value[0].simple_value
0.5
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray

__all__ = ["scalarSummary", "scalar_summary"]


def scalar_summary(tag: str, scalar: Any) -> Any:
    """Return a summary of one number.

    Parameters
    ----------
    tag
        Under which name TensorBoard shows it.
    scalar
        A number, or an array of one element, minpy's or NumPy's.

    Raises
    ------
    ValueError
        If it is more than one number.
    """
    from tensorboardX.proto.summary_pb2 import Summary

    value = numpy.asarray(as_ndarray(scalar).asnumpy(), "float64")
    if value.size != 1:
        raise ValueError(f"scalar_summary {tag!r}: expected one number, got shape {value.shape}")
    return Summary(value=[Summary.Value(tag=tag, simple_value=float(value.reshape(())))])


scalarSummary = scalar_summary
