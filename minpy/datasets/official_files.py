"""Which official files a data set consists of, and where they are; a table, no code that uses it.

The SHA-256 digests and sizes are those that TensorFlow Datasets (MNIST, Fashion-MNIST) and Keras
(the others) publish. The authors of MNIST gave none, those of Fashion-MNIST and CIFAR-10 only MD5.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SOURCES", "OfficialFile", "Source"]


@dataclass(frozen=True)
class OfficialFile:
    """One file as its authors published it.

    Its size is in bytes, None where they don't say; of some there is an MD5 only.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def digest(self) -> tuple[str, str] | None:
        """The name of an algorithm, and what it makes of the file; None where nobody says."""
        for algorithm, value in (("sha256", self.sha256), ("md5", self.md5)):
            if value is not None:
                return algorithm, value
        return None


@dataclass(frozen=True)
class Source:
    """The files of a data set, and the addresses of folders that hold all of them, best first."""

    mirrors: tuple[str, ...]
    files: tuple[OfficialFile, ...]


_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

SOURCES: dict[str, Source] = {
    # Y. LeCun, C. Cortes and C. J. C. Burges. Their own server refuses programs.
    "mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        files=(
            OfficialFile(
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            OfficialFile(
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            OfficialFile(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            OfficialFile(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    # H. Xiao, K. Rasul and R. Vollgraf, MIT licence. Keras' mirror first: theirs has no TLS.
    "fashion_mnist": Source(
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        files=(
            OfficialFile(
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            OfficialFile(
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            OfficialFile(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            OfficialFile(
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    # A. Krizhevsky.
    "cifar10": Source(
        mirrors=(
            "https://www.cs.toronto.edu/~kriz/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        files=(
            OfficialFile(
                "cifar-10-python.tar.gz",
                170498071,
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ),
    ),
    "cifar100": Source(
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files=(
            OfficialFile(
                "cifar-100-python.tar.gz",
                sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            ),
        ),
    ),
    # A. Maas and others, 2011; as Keras prepared them: numbers of words by frequency.
    "imdb": Source(
        mirrors=(_KERAS,),
        files=(
            OfficialFile(
                "imdb.npz",
                sha256="69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
            ),
            OfficialFile("imdb_word_index.json", md5="bfafd718b763782e994055a2d397834f"),
        ),
    ),
    # D. Lewis and others, 1987; as Keras prepared them.
    "reuters": Source(
        mirrors=(_KERAS,),
        files=(
            OfficialFile(
                "reuters.npz",
                sha256="d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
            ),
            OfficialFile("reuters_word_index.json", md5="4d44cc38712099c9e383dc6e5f11a921"),
        ),
    ),
    # D. Harrison and D. Rubinfeld, 1978.
    "boston_housing": Source(
        mirrors=(_KERAS,),
        files=(
            OfficialFile(
                "boston_housing.npz",
                sha256="f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
            ),
        ),
    ),
    # R. Pace and R. Barry, 1997.
    "california_housing": Source(
        mirrors=(_KERAS,),
        files=(
            OfficialFile(
                "california_housing.npz",
                sha256="1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
            ),
        ),
    ),
}
