"""Adam for the examples: over arrays, and over tuples, lists and dicts of them."""

from minpy import numpy as np
from minpy.autograd.containers import flatten


def adam(gradient, start, steps, rate=0.01, beta1=0.9, beta2=0.999, callback=None):
    """Minimize a function by its gradient (Kingma and Ba, 2015, algorithm 1).

    Parameters
    ----------
    gradient
        ``gradient(x, step)``, with the structure of `x`.
    start
        Where to start: an array, or a container of arrays.
    steps
        How many updates.
    rate
        Learning rate: a number, or a function of the step.
    callback
        Called as ``callback(x, step, g)`` before each update.

    Returns
    -------
    x
        Where it ended.
    """
    x, rebuild = flatten(start)
    m = [np.zeros_like(a) for a in x]
    v = [np.zeros_like(a) for a in x]
    for step in range(steps):
        whole = gradient(rebuild(x), step)
        if callback is not None:
            callback(rebuild(x), step, whole)
        g = flatten(whole)[0]
        lr = rate(step) if callable(rate) else rate
        for i in range(len(x)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            unbiased = m[i] / (1 - beta1 ** (step + 1)), v[i] / (1 - beta2 ** (step + 1))
            x[i] = x[i] - lr * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return rebuild(x)
