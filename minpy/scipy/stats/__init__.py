"""``scipy.stats``: densities and distribution functions with derivatives in all parameters.

Each distribution is a module of functions of a value and of parameters, as in HIPS autograd; they
are written in special functions. A value outside of the support has density 0, and derivatives 0; a
parameter that isn't allowed gives nan, as in SciPy. Other distributions, and random draws and
quantiles of all, are SciPy's, without derivatives.
"""

from minpy.scipy.kernels import reach
from minpy.scipy.stats import beta, chi2, dirichlet, gamma, multivariate_normal, norm, poisson, t

__all__ = ["beta", "chi2", "dirichlet", "gamma", "multivariate_normal", "norm", "poisson", "t"]

__getattr__, __dir__ = reach("stats", __all__)
