"""The normal distribution: functions of a value and of parameters, as ``scipy.stats.norm``."""

from __future__ import annotations

import math
from typing import Any

from minpy.scipy import special
from minpy.scipy.kernels import reach
from minpy.scipy.stats.continuous import Continuous

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

__getattr__, __dir__ = reach("stats.norm", __all__)

_LOG_2PI = math.log(2 * math.pi)


class Normal(Continuous):
    """The normal distribution."""

    def log_density(self, z: Any) -> Any:
        return -0.5 * z * z - 0.5 * _LOG_2PI

    def below(self, z: Any) -> Any:
        return special.ndtr(z)

    def above(self, z: Any) -> Any:
        return special.ndtr(-z)

    def log_below(self, z: Any) -> Any:
        return special.log_ndtr(z)

    def log_above(self, z: Any) -> Any:
        return special.log_ndtr(-z)


_normal = Normal()
pdf, logpdf = _normal.pdf, _normal.logpdf
cdf, logcdf = _normal.cdf, _normal.logcdf
sf, logsf = _normal.sf, _normal.logsf
