"""A mixture of Gaussians fitted by the gradient of its likelihood, no EM.

    python examples/mixture_model.py [--small]

Points are drawn from three correlated Gaussians. The likelihood takes unconstrained parameters: the
logarithms of the weights before a softmax, and for each covariance the Cholesky factor of its
inverse with logarithms on the diagonal. At the best fit the likelihood is at least that of the
parameters that the points were drawn with.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np

WEIGHTS = numpy.array([0.5, 0.3, 0.2])
MEANS = numpy.array([[0.0, 0.0], [4.0, 1.0], [-1.0, 5.0]])
COVARIANCES = numpy.array(
    [[[1.0, 0.6], [0.6, 1.0]], [[0.5, 0.0], [0.0, 1.5]], [[1.2, -0.5], [-0.5, 0.6]]]
)


def draw(samples, rng):
    """Return points (samples, 2), and which Gaussian each came from."""
    which = rng.choice(3, size=samples, p=WEIGHTS)
    factors = numpy.linalg.cholesky(COVARIANCES)
    noise = rng.standard_normal((samples, 2))
    return MEANS[which] + numpy.einsum("nij,nj->ni", factors[which], noise), which


def log_sum_exp(x, axis):
    top = np.max(x, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=axis)) + np.squeeze(top, axis)


def log_densities(params, x):
    """Return the logarithm of each weighted Gaussian at each point, (samples, 3)."""
    log_weights = params["weights"] - log_sum_exp(params["weights"], 0)
    columns = []
    for k in range(params["means"].shape[0]):
        a, b, c = params["factors"][k, 0], params["factors"][k, 1], params["factors"][k, 2]
        off = x - params["means"][k]
        # The inverse covariance is LᵀL with L = [[exp a, 0], [c, exp b]].
        u = np.exp(a) * off[:, 0]
        v = c * off[:, 0] + np.exp(b) * off[:, 1]
        columns.append(log_weights[k] + a + b - 0.5 * (u * u + v * v))
    return np.stack(columns, axis=1) - float(numpy.log(2 * numpy.pi))


def log_likelihood(params, x):
    return np.mean(log_sum_exp(log_densities(params, x), 1))


def covariances(params):
    """Return the covariances that the factors stand for."""
    found = []
    for a, b, c in params["factors"].asnumpy():
        L = numpy.array([[numpy.exp(a), 0.0], [c, numpy.exp(b)]])
        found.append(numpy.linalg.inv(L.T @ L))
    return numpy.array(found)


def parameters_of(weights, means, of_covariances):
    """Return the unconstrained parameters of a mixture."""
    rows = []
    for covariance in of_covariances:
        (p, q), (_, r) = numpy.linalg.inv(covariance)
        b = numpy.sqrt(r)
        c = q / b
        rows.append([numpy.log(numpy.sqrt(p - c * c)), numpy.log(b), c])
    return {
        "weights": np.array(numpy.log(weights)),
        "means": np.array(means),
        "factors": np.array(numpy.array(rows)),
    }


def start(x, rng):
    """Return equal weights, points far from each other as means, and unit covariances."""
    chosen = [x[rng.integers(len(x))]]
    while len(chosen) < 3:
        distance = numpy.min([((x - c) ** 2).sum(1) for c in chosen], axis=0)
        chosen.append(x[distance.argmax()])
    return parameters_of(numpy.ones(3) / 3, numpy.array(chosen), numpy.array([numpy.eye(2)] * 3))


def main(small=False):
    rng = numpy.random.default_rng(1)
    points, _ = draw(1000 if small else 5000, rng)
    x = np.array(points)
    objective = minpy.value_and_grad(lambda params: -log_likelihood(params, x))
    values = []

    def gradient(params, step):
        value, g = objective(params)
        values.append(-float(value))
        return g

    steps = 250 if small else 600
    params = adam(gradient, start(points, rng), steps, rate=lambda i: 0.1 * 0.1 ** (i / steps))
    best = float(log_likelihood(params, x))
    truth = float(log_likelihood(parameters_of(WEIGHTS, MEANS, COVARIANCES), x))
    weights = numpy.exp(params["weights"].asnumpy())
    weights /= weights.sum()
    # The order of the Gaussians is free: take the one nearest to each.
    means = params["means"].asnumpy()
    order = [int(((means - m) ** 2).sum(1).argmin()) for m in MEANS]
    print(f"log likelihood a point: {values[0]:.4f} at first, {best:.4f} found, "
          f"{truth:.4f} of what it was drawn from")  # fmt: skip
    for k, true_weight, true_mean in zip(order, WEIGHTS, MEANS, strict=True):
        print(f"weight {weights[k]:.3f} ({true_weight}), mean {means[k].round(2)} ({true_mean})")
    return {
        "best": best,
        "truth": truth,
        "weights": weights[order],
        "means": means[order],
        "covariances": covariances(params)[order],
        "samples": len(points),
    }


if __name__ == "__main__":
    main("--small" in sys.argv)
