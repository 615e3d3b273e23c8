"""Makes minpy/datasets/digits.npz from the original file; no part of the package needs it to run.

The original is ``optdigits.tes`` of https://doi.org/10.24432/C50P49; scikit-learn has the same
1,797 rows as ``sklearn/datasets/data/digits.csv.gz``. Both hold 64 pixels and the digit a line,
separated by commas.

    python tools/pack_digits.py optdigits.tes
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "minpy" / "datasets" / "digits.npz"

# How many images there are of each digit, as optdigits.names, the description at UCI, has it.
PUBLISHED_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images (1797, 8, 8) and labels (1797,), both uint8, or raise ValueError."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    rows = np.array([line.split(",") for line in content.decode("ascii").split()], dtype=np.int64)
    if rows.shape != (1797, 65):
        raise ValueError(f"{path}: expected 1797 lines of 65 numbers, got shape {rows.shape}")
    pixels, labels = rows[:, :64], rows[:, 64]
    if pixels.min() < 0 or pixels.max() > 16:
        raise ValueError(f"{path}: pixels must be from 0 to 16")
    if np.bincount(labels, minlength=10).tolist() != PUBLISHED_COUNTS:
        raise ValueError(f"{path}: the digits' counts are not the published ones")
    return pixels.reshape(-1, 8, 8).astype(np.uint8), labels.astype(np.uint8)


def main() -> None:
    """Read the file named on the command line and write the packed one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("original", type=Path, help="optdigits.tes or digits.csv.gz")
    images, labels = read(parser.parse_args().original)
    np.savez_compressed(TARGET, images=images, labels=labels)
    print(f"{TARGET}: {len(labels)} images, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
