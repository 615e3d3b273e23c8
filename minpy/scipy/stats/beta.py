"""The beta distribution: functions of a value and of parameters, as ``scipy.stats.beta``."""

from __future__ import annotations

from typing import Any

from minpy.scipy import special
from minpy.scipy.kernels import reach
from minpy.scipy.stats.continuous import Continuous

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

__getattr__, __dir__ = reach("stats.beta", __all__)


class Beta(Continuous):
    """The beta distribution of shapes `a` and `b`."""

    shapes = ("a", "b")
    lower, upper = 0.0, 1.0

    def log_density(self, z: Any, a: Any, b: Any) -> Any:
        return special.xlogy(a - 1.0, z) + special.xlog1py(b - 1.0, -z) - special.betaln(a, b)

    def below(self, z: Any, a: Any, b: Any) -> Any:
        return special.betainc(a, b, z)

    def above(self, z: Any, a: Any, b: Any) -> Any:
        return special.betaincc(a, b, z)


_beta = Beta()
pdf, logpdf = _beta.pdf, _beta.logpdf
cdf, logcdf = _beta.cdf, _beta.logcdf
sf, logsf = _beta.sf, _beta.logsf
