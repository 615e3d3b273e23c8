"""The gamma distribution: functions of a value and of parameters, as ``scipy.stats.gamma``."""

from __future__ import annotations

from typing import Any

from minpy.scipy import special
from minpy.scipy.kernels import reach
from minpy.scipy.stats.continuous import Continuous

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

__getattr__, __dir__ = reach("stats.gamma", __all__)


class Gamma(Continuous):
    """The gamma distribution of shape `a`."""

    shapes = ("a",)
    lower = 0.0

    def log_density(self, z: Any, a: Any) -> Any:
        return special.xlogy(a - 1.0, z) - z - special.gammaln(a)

    def below(self, z: Any, a: Any) -> Any:
        return special.gammainc(a, z)

    def above(self, z: Any, a: Any) -> Any:
        return special.gammaincc(a, z)


_gamma = Gamma()
pdf, logpdf = _gamma.pdf, _gamma.logpdf
cdf, logcdf = _gamma.cdf, _gamma.logcdf
sf, logsf = _gamma.sf, _gamma.logsf
