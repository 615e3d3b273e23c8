"""Trained models in other programs' formats: ONNX; it must not know how models are trained.

`minpy.exporting.recording` records a forward pass in inference mode as a list of primitives, twice
with unlike batch sizes, which `batch_axis` makes one pass of any batch size of; `operators` and
`layer_operators` are the table that says which nodes a primitive becomes.
"""

from minpy.exporting import layer_operators  # which fills the table
from minpy.exporting.graph import NotExportable
from minpy.exporting.onnx_file import export

__all__ = ["NotExportable", "export"]
