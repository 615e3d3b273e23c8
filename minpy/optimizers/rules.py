"""The one table of what each optimizer does to a parameter; knows nothing of models or buffers.

A rule is a plain function of one element, or of arrays of them: the weight, its gradient, the
slots, and after the ``/`` the scalars, the same for every element of a step. It returns the new
weight and the new slots. The same function runs in NumPy over arrays (`minpy.optimizers.reference`)
and is compiled to one pass over the memory (`minpy.optimizers.fused`), so it uses arithmetic and
NumPy's element-wise functions only: no branch, and no number written out, since compiled that would
be a float64. Scalars come in the dtype of the weights, computed in float64 by the optimizer.

What all optimizers share (loss scale, clipping, weight decay, flushing of denormals) is around the
rule, not in it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["Rule", "row", "rules", "with_average"]


class Rule:
    """A row of the table: an update, and the names of its slots and scalars, in its own order.

    With `averaged`, a moving average of the weights follows in the same pass: one slot and two
    scalars more, after the row's own.
    """

    def __init__(self, update: Callable[..., Any], averaged: bool = False) -> None:
        self.update = update
        self.averaged = averaged
        self.name = update.__name__ + ("_averaged" if averaged else "")
        parameters = inspect.signature(update).parameters.values()
        self.own_slots = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_ONLY)[2:]
        self.own_scalars = tuple(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
        self.slots = self.own_slots + (("moving_average",) if averaged else ())
        self.scalars = self.own_scalars + (("keep_average", "rest_average") if averaged else ())

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


rules: dict[str, Rule] = {}
_with_average: dict[str, Rule] = {}


def with_average(rule: Rule) -> Rule:
    """Return the row with a moving average of the weights: a ← κa + (1−κ)w."""
    if rule.name not in _with_average:
        _with_average[rule.name] = Rule(rule.update, averaged=True)
    return _with_average[rule.name]


def row(update: Callable[..., Any]) -> Callable[..., Any]:
    """Put an update into the table under its own name; a decorator, for your own optimizers too.

    Examples
    --------
    >>> from minpy.optimizers import Optimizer
    >>> @row
    ... def sign_descent(w, g, /, rate):
    ...     return (w - rate * numpy.sign(g),)
    >>> class SignDescent(Optimizer):
    ...     rule = 'sign_descent'
    ...     def scalars(self, rate, step):
    ...         return {'rate': rate}
    >>> w = numpy.zeros(2)
    >>> SignDescent(0.5).step(w, numpy.array([3., -4.]))
    >>> w
    array([-0.5, 0.5])
    """
    rules[update.__name__] = Rule(update)
    return update


# --- gradient descent -----------------------------------------------------------------------------


@row
def sgd(w, g, /, rate):
    """Descend: w ← w − ηg."""
    return (w - rate * g,)


@row
def sgd_momentum(w, g, momentum, /, rate, decay):
    """Descend with momentum: v ← βv − ηg, w ← w + v (Polyak, 1964)."""
    v = decay * momentum - rate * g
    return w + v, v


@row
def sgd_nesterov(w, g, momentum, /, rate, decay):
    """Look ahead: v ← βv − ηg, w ← w + βv − ηg (Sutskever et al., 2013, section 2)."""
    v = decay * momentum - rate * g
    return w + (decay * v - rate * g), v


@row
def lion(w, g, momentum, /, rate, beta_1, rest_1, beta_2, rest_2):
    """Go by the sign (Chen et al., 2023, algorithm 2).

    w ← w − η sign(β₁m + (1−β₁)g), m ← β₂m + (1−β₂)g
    """
    step = numpy.sign(momentum * beta_1 + g * rest_1)
    return w - rate * step, momentum * beta_2 + g * rest_2


# --- steps divided by an average of past gradients ------------------------------------------------


@row
def adagrad(w, g, accumulator, /, rate, epsilon):
    """Divide by the sum of squares: a ← a + g², w ← w − ηg/√(a+ε) (Duchi et al., 2011)."""
    a = accumulator + g * g
    return w - rate * g / numpy.sqrt(a + epsilon), a


@row
def adadelta(w, g, accumulated_grad, accumulated_delta_var, /, rate, rho, rest, epsilon):
    """Measure steps by steps (Zeiler, 2012, algorithm 1).

    a ← ρa + (1−ρ)g², δ ← −g√(d+ε)/√(a+ε), d ← ρd + (1−ρ)δ², w ← w + ηδ
    """
    a = rho * accumulated_grad + rest * (g * g)
    step = numpy.sqrt(accumulated_delta_var + epsilon) * g / numpy.sqrt(a + epsilon)
    return w - rate * step, a, rho * accumulated_delta_var + rest * (step * step)


@row
def rmsprop(w, g, velocity, /, rate, rho, rest, epsilon):
    """Divide by a mean of squares (Tieleman and Hinton, 2012, lecture 6.5).

    v ← ρv + (1−ρ)g², w ← w − ηg/√(v+ε)
    """
    v = rho * velocity + rest * (g * g)
    return w - rate * g / numpy.sqrt(v + epsilon), v


@row
def rmsprop_momentum(w, g, velocity, momentum, /, rate, rho, rest, epsilon, decay):
    """RMSprop whose steps are averaged: m ← βm + ηg/√(v+ε), w ← w − m."""
    v = rho * velocity + rest * (g * g)
    m = decay * momentum + rate * g / numpy.sqrt(v + epsilon)
    return w - m, v, m


@row
def rmsprop_centered(w, g, velocity, average_gradient, /, rate, rho, rest, epsilon):
    """RMSprop by an estimate of the variance: v − a² instead of v (Graves, 2013, equation 38)."""
    v = rho * velocity + rest * (g * g)
    a = rho * average_gradient + rest * g
    return w - rate * g / numpy.sqrt(v - a * a + epsilon), v, a


@row
def rmsprop_centered_momentum(
    w, g, velocity, momentum, average_gradient, /, rate, rho, rest, epsilon, decay
):
    """RMSprop by the variance, with averaged steps (Graves, 2013, equations 38 to 41)."""
    v = rho * velocity + rest * (g * g)
    a = rho * average_gradient + rest * g
    m = decay * momentum + rate * g / numpy.sqrt(v - a * a + epsilon)
    return w - m, v, m, a


# --- the Adam family ------------------------------------------------------------------------------


@row
def adam(w, g, momentum, velocity, /, rate, rest_1, rest_2, epsilon):
    """Kingma and Ba, 2015, algorithm 1 in the form at the end of section 2.

    The bias corrections are in the rate, η√(1−β₂ᵗ)/(1−β₁ᵗ), so ε is their ε̂.
    """
    m = momentum + (g - momentum) * rest_1
    v = velocity + (g * g - velocity) * rest_2
    return w - m * rate / (numpy.sqrt(v) + epsilon), m, v


@row
def adam_amsgrad(w, g, momentum, velocity, velocity_hat, /, rate, rest_1, rest_2, epsilon):
    """Adam that divides by the largest v so far (Reddi et al., 2018, algorithm 2)."""
    m = momentum + (g - momentum) * rest_1
    v = velocity + (g * g - velocity) * rest_2
    largest = numpy.maximum(velocity_hat, v)
    return w - m * rate / (numpy.sqrt(largest) + epsilon), m, v, largest


@row
def adamax(w, g, momentum, norm, /, rate, rest_1, beta_2, epsilon):
    """Divide by a fading maximum (Kingma and Ba, 2015, algorithm 2).

    m ← m + (1−β₁)(g−m), u ← max(β₂u, |g|), w ← w − ηm/(u+ε), the bias correction in η
    """
    m = momentum + (g - momentum) * rest_1
    u = numpy.maximum(beta_2 * norm, numpy.abs(g))
    return w - rate * m / (u + epsilon), m, u


@row
def nadam(
    w, g, momentum, velocity, /, rate, rest_1, rest_2, weight_m, weight_g, correction, epsilon
):
    """Adam with Nesterov's look ahead: a weighted sum of m and g is the step (Dozat, 2016)."""
    m = momentum + (g - momentum) * rest_1
    v = velocity + (g * g - velocity) * rest_2
    step = weight_m * m + weight_g * g
    return w - step * rate / (numpy.sqrt(v * correction) + epsilon), m, v


@row
def schedule_free_adamw(
    w,
    g,
    momentum,
    velocity,
    /,
    rate,
    beta_1,
    rest_1,
    rest_2,
    correction,
    share,
    rest_share,
    epsilon,
):
    """Step in z, keep its mean x, and stand between the two (Defazio et al., 2024, algorithm 1).

    z ← z − ηg/(√v̂+ε), x ← (1−1/t)x + z/t, w ← (1−β₁)z + β₁x, where x was (w − (1−β₁)z)/β₁
    """
    v = velocity + (g * g - velocity) * rest_2
    z = momentum - rate * g / (numpy.sqrt(v * correction) + epsilon)
    mean = rest_share * ((w - rest_1 * momentum) / beta_1) + share * z
    return rest_1 * z + beta_1 * mean, z, v


# --- steps that are measured weight by weight: a direction first, which is no slot ----------------


@row
def lamb(
    w, g, momentum, velocity, direction, /, rest_1, rest_2, correction_1, correction_2, epsilon
):
    """Adam's direction, whose length is set afterwards (You et al., 2020, algorithm 2)."""
    m = momentum + (g - momentum) * rest_1
    v = velocity + (g * g - velocity) * rest_2
    return w, m, v, m * correction_1 / (numpy.sqrt(v * correction_2) + epsilon)


@row
def muon(w, g, momentum, direction, /, keep, of_gradient, of_momentum):
    """Momentum, m ← βm + g, and what is to be made orthogonal of it (Jordan et al., 2024)."""
    m = momentum * keep + g
    return w, m, of_gradient * g + of_momentum * m


@row
def descend(w, g, /, rate):
    """Go along a direction that another row has made: w ← w − ηd."""
    return (w - rate * g,)


# --- online learning ------------------------------------------------------------------------------


@row
def ftrl(w, g, accumulator, linear, /, inverse_rate, l1, twice_l2, shrinkage):
    """Follow the regularized leader, proximal form (McMahan et al., 2013, algorithm 1).

    With the learning rate's power at -1/2. `shrinkage` is twice the L2 shrinkage.
    """
    a = accumulator + g * g
    root = numpy.sqrt(a)
    z = linear + (g + shrinkage * w - (root - numpy.sqrt(accumulator)) * inverse_rate * w)
    clipped = numpy.minimum(numpy.maximum(z, -l1), l1)
    return (clipped - z) / (root * inverse_rate + twice_l2), a, z


@row
def ftrl_power(w, g, accumulator, linear, /, inverse_rate, power, l1, twice_l2, shrinkage):
    """Follow the regularized leader with another power; `power` is minus the learning rate's."""
    a = accumulator + g * g
    root = numpy.power(a, power)
    z = linear + (g + shrinkage * w - (root - numpy.power(accumulator, power)) * inverse_rate * w)
    clipped = numpy.minimum(numpy.maximum(z, -l1), l1)
    return (clipped - z) / (root * inverse_rate + twice_l2), a, z
