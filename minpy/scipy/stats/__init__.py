"""``scipy.stats``: densities and distribution functions with derivatives in all parameters.

Each distribution is an object with functions of a value and of parameters, as SciPy's; they are
written in special functions. A value outside of the support has density 0, and derivatives 0; a
parameter that isn't allowed gives nan, as in SciPy.
"""

from minpy.scipy.stats.continuous import beta, chi2, gamma, norm, t
from minpy.scipy.stats.discrete import poisson
from minpy.scipy.stats.multivariate import dirichlet, multivariate_normal

__all__ = ["beta", "chi2", "dirichlet", "gamma", "multivariate_normal", "norm", "poisson", "t"]
