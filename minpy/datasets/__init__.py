"""Data sets to try things on, as NumPy arrays; must not know about minpy's own arrays or models.

``digits`` is shipped with the package. The others are read from a folder with their official
files, and fetched into it first when they are not there.
"""

from __future__ import annotations

from minpy.datasets.cifar import cifar10
from minpy.datasets.mnist_files import fashion_mnist, mnist
from minpy.datasets.optical_digits import digits

__all__ = ["cifar10", "digits", "fashion_mnist", "mnist"]
