"""An ODE network: the law of motion of a pendulum learned from its path, through the integrator.

    python examples/ode_network.py [--small] [PICTURE]

A network gives the rate of change of a state (Chen et al., "Neural ordinary differential
equations", 2018). It is integrated by the classical Runge-Kutta method, compared with what was
observed, and the gradient goes back through all steps. It is then asked for a swing that it has
never seen.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np

STEP = 0.1


def runge_kutta(rate, state, steps):
    """Return the states after each of some steps, (steps, …), by the method of order four."""
    states = []
    for _ in range(steps):
        k1 = rate(state)
        k2 = rate(state + STEP / 2 * k1)
        k3 = rate(state + STEP / 2 * k2)
        k4 = rate(state + STEP * k3)
        state = state + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    return np.stack(states)


def pendulum(state):
    """Return the rate of change of (angle, speed): gravity, and a little friction."""
    angle, speed = state[..., 0], state[..., 1]
    return np.stack([speed, -np.sin(angle) - 0.1 * speed], axis=-1)


def network(params, state):
    h = np.tanh(np.dot(state, params["w1"]) + params["b1"])
    return np.dot(h, params["w2"]) + params["b2"]


def start(rng, units):
    return {
        "w1": np.array(rng.standard_normal((2, units))),
        "b1": np.array(rng.standard_normal(units)),
        "w2": np.array(0.1 * rng.standard_normal((units, 2))),
        "b2": np.zeros(2, dtype="float64"),
    }


def observe(rng, swings, steps):
    """Return paths of the pendulum from several starts, (steps + 1, swings, 2)."""
    begin = np.array(rng.uniform([-2.0, -1.0], [2.0, 1.0], (swings, 2)))
    return numpy.concatenate([begin.asnumpy()[None], runge_kutta(pendulum, begin, steps).asnumpy()])


def draw(picture, truth, found):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    times = STEP * numpy.arange(len(truth))
    left.plot(times, truth[:, 0], "k--", label="pendulum")
    left.plot(times, found[:, 0], label="network")
    left.set(xlabel="time", ylabel="angle")
    left.legend()
    right.plot(*truth.T, "k--")
    right.plot(*found.T)
    right.set(xlabel="angle", ylabel="speed")
    figure.savefig(picture, dpi=120)


def main(small=False, picture=None):
    rng = numpy.random.default_rng(0)
    paths = observe(rng, swings=12, steps=60)
    updates, window, batch, units = (300, 4, 64, 24) if small else (2000, 8, 128, 48)
    params = start(rng, units)

    def loss(params, begin, following):
        found = runge_kutta(lambda state: network(params, state), begin, window)
        return np.mean((found - following) ** 2)

    objective = minpy.value_and_grad(loss)
    losses = []

    def gradient(params, step):
        # Pieces of the paths: where one begins, and what comes after.
        at = rng.integers(0, len(paths) - window, batch)
        which = rng.integers(0, paths.shape[1], batch)
        following = numpy.stack([paths[at + i, which] for i in range(1, window + 1)])
        value, g = objective(params, np.array(paths[at, which]), np.array(following))
        losses.append(float(value))
        if step % 100 == 0:
            print(f"update {step}: mean squared error {losses[-1]:.2e}")
        return g

    params = adam(gradient, params, updates, rate=lambda i: 0.03 * 0.03 ** (i / updates))

    # A swing that it hasn't seen, for ten times as long as the pieces it was trained on.
    begin = np.array([1.0, 0.5], dtype="float64")
    truth = runge_kutta(pendulum, begin, 10 * window).asnumpy()
    found = runge_kutta(lambda state: network(params, state), begin, 10 * window).asnumpy()
    error = float(numpy.sqrt(((found - truth) ** 2).mean()))
    size = float(numpy.sqrt((truth**2).mean()))
    print(f"a swing of {10 * window * STEP:.0f} time units: error {error:.4f}, its size {size:.2f}")
    if picture:
        draw(picture, truth, found)
    return {"losses": losses, "error": error, "size": size}


if __name__ == "__main__":
    pictures = [a for a in sys.argv[1:] if a != "--small"]
    main("--small" in sys.argv, *pictures)
