"""The checkpoint file: named arrays and metadata in one HDF5 file; knows nothing of models.

`write` saves all or nothing, `read` gives back only what it has verified, `verify` and `describe`
look at a file, and `match` compares what was read with what is expected. The format is written
down in ``docs/checkpoints.md``. ``python -m minpy.checkpoint FILE`` lists a file.
"""

from minpy.checkpoint.matching import match
from minpy.checkpoint.reader import Checkpoint, Description, describe, read, verify
from minpy.checkpoint.writer import write

__all__ = ["Checkpoint", "Description", "describe", "match", "read", "verify", "write"]
