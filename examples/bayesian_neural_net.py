"""A Bayesian neural network by black-box variational inference: how sure it is, and where not.

    python examples/bayesian_neural_net.py [--small] [PICTURE]

Noisy measurements of a sine, with a gap. The posterior of the weights is approximated by a
Gaussian with a diagonal covariance, fitted by the gradient of the evidence lower bound through
reparameterized samples (Kingma and Welling, "Auto-encoding variational Bayes", 2014; Ranganath,
Gerrish and Blei, "Black box variational inference", 2014). Between the measurements the samples
agree; in the gap and outside they don't.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np

NOISE = 0.1
LAYERS = [(1, 20), (20, 1)]
SIZE = sum((n + 1) * m for n, m in LAYERS)
LOG_2_PI = float(numpy.log(2 * numpy.pi))


def measure(rng, samples=40):
    """Return inputs (samples, 1), none of them from -1 to 1, and noisy targets."""
    x = numpy.concatenate([rng.uniform(-3, -1, samples // 2), rng.uniform(1, 3, samples // 2)])
    return x[:, None], numpy.sin(x)[:, None] + NOISE * rng.standard_normal((samples, 1))


def predict(weights, x):
    """Return the outputs of several networks at once.

    Parameters
    ----------
    weights
        Of shape (networks, SIZE).
    x
        Of shape (samples, 1).

    Returns
    -------
    ndarray
        Of shape (networks, samples, 1).
    """
    h, at = x[None, :, :], 0
    for n, m in LAYERS:
        matrix = np.reshape(weights[:, at : at + n * m], (-1, n, m))
        bias = np.reshape(weights[:, at + n * m : at + (n + 1) * m], (-1, 1, m))
        at += (n + 1) * m
        h = np.matmul(h, matrix) + bias
        if at < SIZE:
            h = np.maximum(h, 0)
    return h


def log_joint(weights, x, y):
    """Return the log density of measurements and weights together, one number a network."""
    prior = -0.5 * np.sum(weights**2, axis=1) - 0.5 * SIZE * LOG_2_PI
    off = (y - predict(weights, x)) / NOISE
    each = -0.5 * off**2 - float(numpy.log(NOISE)) - 0.5 * LOG_2_PI
    return prior + np.sum(each, axis=(1, 2))


def evidence_lower_bound(params, noise, x, y):
    """Return an unbiased estimate of the bound, by weights drawn as ``mean + exp(log) * noise``."""
    weights = params["mean"] + np.exp(params["log"]) * noise
    entropy = np.sum(params["log"]) + 0.5 * SIZE * (1 + LOG_2_PI)
    return np.mean(log_joint(weights, x, y)) + entropy


def draw(picture, params, rng, x, y):
    from matplotlib.figure import Figure

    at = numpy.linspace(-5, 5, 200)[:, None]
    noise = rng.standard_normal((12, SIZE))
    curves = predict(params["mean"] + np.exp(params["log"]) * noise, np.array(at)).asnumpy()
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(at, curves[:, :, 0].T, "C0", lw=0.8, alpha=0.6)
    axes.plot(at, numpy.sin(at), "k--", lw=1)
    axes.plot(x, y, "k.", ms=5)
    axes.set(ylim=(-3, 3), title="networks drawn from the posterior")
    figure.savefig(picture, dpi=120)


def main(small=False, picture=None):
    rng = numpy.random.default_rng(0)
    x, y = measure(rng)
    steps, networks = (400, 4) if small else (3000, 8)
    params = {
        "mean": np.array(0.5 * rng.standard_normal(SIZE)),
        "log": np.array(numpy.full(SIZE, -3.0)),
    }
    ours, theirs = np.array(x), np.array(y)
    objective = minpy.value_and_grad(evidence_lower_bound)
    bounds = []

    def gradient(params, step):
        noise = np.array(rng.standard_normal((networks, SIZE)))
        value, g = objective(params, noise, ours, theirs)
        bounds.append(float(value))
        return {name: -part for name, part in g.items()}

    params = adam(gradient, params, steps, rate=lambda i: 0.03 * 0.1 ** (i / steps))

    drawn = params["mean"] + np.exp(params["log"]) * rng.standard_normal((100, SIZE))

    def spread(at):
        """Return how far the networks are from the sine, and from each other."""
        outputs = predict(drawn, np.array(at)).asnumpy()[:, :, 0]
        error = outputs.mean(0) - numpy.sin(at[:, 0])
        return float(numpy.sqrt((error**2).mean())), float(outputs.std(0).mean())

    inside = numpy.concatenate([numpy.linspace(-2.8, -1.2, 20), numpy.linspace(1.2, 2.8, 20)])
    error, sure = spread(inside[:, None])
    _, outside = spread(numpy.array([[-6.0], [-5.0], [5.0], [6.0]]))
    print(f"evidence lower bound {numpy.mean(bounds[:20]):.0f} to {numpy.mean(bounds[-20:]):.1f}")
    print(f"between the measurements: error {error:.3f}, spread of the networks {sure:.3f}")
    print(f"outside: spread {outside:.3f}, {outside / sure:.1f} times as wide")
    if picture:
        draw(picture, params, rng, x, y)
    return {"bounds": bounds, "error": error, "sure": sure, "outside": outside, "params": params}


if __name__ == "__main__":
    pictures = [a for a in sys.argv[1:] if a != "--small"]
    main("--small" in sys.argv, *pictures)
