"""Gaussian process regression of a pendulum's swing, its hyperparameters by the gradient.

    python examples/gaussian_process.py [--small] [PICTURE]

A damped pendulum is simulated and its angle measured with noise. The length scale, the amplitude
and the noise are those of the greatest marginal likelihood (Rasmussen and Williams, "Gaussian
processes for machine learning", 2006, equation 2.30), found through a Cholesky factor.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np

NOISE = 0.1


def pendulum(times, angle=1.5, damping=0.15, substeps=20):
    """Return a pendulum's angles at equally spaced times, by the midpoint rule."""
    h = (times[1] - times[0]) / substeps
    state, angles = numpy.array([angle, 0.0]), []

    def speed(s):
        return numpy.array([s[1], -numpy.sin(s[0]) - damping * s[1]])

    for _ in times:
        angles.append(state[0])
        for _ in range(substeps):
            state = state + h * speed(state + h / 2 * speed(state))
    return numpy.array(angles)


def kernel(a, b, log):
    """Squared exponential covariance of two sets of times."""
    scaled = (a[:, None] - b[None, :]) / np.exp(log["scale"])
    return np.exp(2 * log["amplitude"]) * np.exp(-0.5 * scaled**2)


def factor(t, log):
    noise = np.exp(2 * log["noise"]) + 1e-8
    return np.linalg.cholesky(kernel(t, t, log) + noise * np.eye(len(t), dtype="float64"))


def negative_log_likelihood(log, t, y):
    L = factor(t, log)
    white = np.linalg.solve(L, y)
    return (
        0.5 * np.sum(white**2)
        + np.sum(np.log(np.diag(L)))
        + 0.5 * len(t) * float(numpy.log(2 * numpy.pi))
    )


def posterior(at, t, y, log):
    """Return the mean and the standard deviation of the angle at other times."""
    L = factor(t, log)
    across = np.linalg.solve(L, kernel(t, at, log))
    mean = np.dot(across.T, np.linalg.solve(L, y))
    variance = np.exp(2 * log["amplitude"]) - np.sum(across**2, axis=0)
    return mean, np.sqrt(np.maximum(variance, 1e-12))


def draw(picture, t, y, dense, truth, mean, deviation):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(dense, mean - 2 * deviation, mean + 2 * deviation, alpha=0.25, lw=0)
    axes.plot(dense, mean, label="posterior mean, two deviations")
    axes.plot(dense, truth, "k--", lw=1, label="pendulum")
    axes.plot(t, y, "k.", ms=4, label="measured")
    axes.set(xlabel="time", ylabel="angle")
    axes.legend()
    figure.savefig(picture, dpi=120)


def main(small=False, picture=None):
    rng = numpy.random.default_rng(1)
    dense = numpy.linspace(0, 20, 401)
    truth = pendulum(dense)
    every = 8 if small else 4
    t = np.array(dense[::every])
    y = np.array(truth[::every] + NOISE * rng.standard_normal(len(t)))

    log = {k: np.array(numpy.float64(v)) for k, v in
           {"scale": -1.0, "amplitude": 0.0, "noise": -1.0}.items()}  # fmt: skip
    objective = minpy.value_and_grad(negative_log_likelihood)
    values = []

    def gradient(log, step):
        value, g = objective(log, t, y)
        values.append(float(value))
        return g

    log = adam(gradient, log, 80 if small else 200, rate=0.1)
    mean, deviation = posterior(np.array(dense), t, y, log)
    found = {name: float(np.exp(value)) for name, value in log.items()}
    error = float(np.sqrt(np.mean((mean - truth) ** 2)))
    inside = float((np.abs(mean - truth) < 2 * deviation).mean())
    print(f"{len(t)} measurements, negative log likelihood {values[0]:.1f} to {values[-1]:.1f}")
    print(f"length scale {found['scale']:.2f}, amplitude {found['amplitude']:.2f}, "
          f"noise {found['noise']:.3f} (it is {NOISE})")  # fmt: skip
    print(f"error of the mean {error:.3f}, {inside:.0%} of the swing within two deviations")
    if picture:
        draw(picture, t, y, dense, truth, mean, deviation)
    g = objective(log, t, y)[1]
    norm = float(np.sqrt(sum(v * v for v in g.values())))
    return {**found, "error": error, "inside": inside, "values": values, "norm": norm}


if __name__ == "__main__":
    pictures = [a for a in sys.argv[1:] if a != "--small"]
    main("--small" in sys.argv, *pictures)
