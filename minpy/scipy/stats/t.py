"""Student's t distribution: functions of a value and of parameters, as ``scipy.stats.t``."""

from __future__ import annotations

from typing import Any

from minpy.numpy.elementwise import log, log1p
from minpy.scipy import special
from minpy.scipy.kernels import reach
from minpy.scipy.stats.continuous import Continuous

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

__getattr__, __dir__ = reach("stats.t", __all__)


class StudentT(Continuous):
    """Student's t distribution of `df` degrees of freedom."""

    shapes = ("df",)

    def log_density(self, z: Any, df: Any) -> Any:
        half = 0.5 * df
        return -special.betaln(half, 0.5) - 0.5 * log(df) - (half + 0.5) * log1p(z * z / df)

    def below(self, z: Any, df: Any) -> Any:
        return special.stdtr(df, z)

    def above(self, z: Any, df: Any) -> Any:
        return special.stdtr(df, -z)


_studentt = StudentT()
pdf, logpdf = _studentt.pdf, _studentt.logpdf
cdf, logcdf = _studentt.cdf, _studentt.logcdf
sf, logsf = _studentt.sf, _studentt.logsf
