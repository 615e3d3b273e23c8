"""``python -m minpy.checkpoint FILE``: list what is in a checkpoint; knows nothing of models."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from minpy.checkpoint.reader import describe, verify
from minpy.errors import CheckpointError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a checkpoint's list of arrays and its metadata.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line if not given.

    Returns
    -------
    int
        The exit status: 0, or 1 if a file can't be read or is damaged.
    """
    parser = argparse.ArgumentParser(
        prog="python -m minpy.checkpoint", description="List what is in a minpy checkpoint."
    )
    parser.add_argument("file", help="the checkpoint")
    parser.add_argument("--verify", action="store_true", help="check every byte of it, too")
    parser.add_argument("--no-metadata", action="store_true", help="leave out the metadata")
    options = parser.parse_args(arguments)
    try:
        description = describe(options.file)
        print(description)
        if not options.no_metadata:
            print("\nmetadata:", json.dumps(description.metadata, indent=2))
        if options.verify:
            verify(options.file)
            print("\nverified: every byte is as it was written")
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
