"""The chi-squared distribution: functions of a value and of parameters, as ``scipy.stats.chi2``."""

from __future__ import annotations

import math
from typing import Any

from minpy.scipy import special
from minpy.scipy.kernels import reach
from minpy.scipy.stats.continuous import Continuous

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

__getattr__, __dir__ = reach("stats.chi2", __all__)


class ChiSquared(Continuous):
    """The chi-squared distribution of `df` degrees of freedom."""

    shapes = ("df",)
    lower = 0.0

    def log_density(self, z: Any, df: Any) -> Any:
        half = 0.5 * df
        return special.xlogy(half - 1.0, z) - 0.5 * z - special.gammaln(half) - math.log(2.0) * half

    def below(self, z: Any, df: Any) -> Any:
        return special.gammainc(0.5 * df, 0.5 * z)

    def above(self, z: Any, df: Any) -> Any:
        return special.gammaincc(0.5 * df, 0.5 * z)


_chisquared = ChiSquared()
pdf, logpdf = _chisquared.pdf, _chisquared.logpdf
cdf, logcdf = _chisquared.cdf, _chisquared.logcdf
sf, logsf = _chisquared.sf, _chisquared.logsf
