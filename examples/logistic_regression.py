"""Logistic regression on real digits by Newton's method: gradient and Hessian by differentiation.

    python examples/logistic_regression.py [--small]

Tells handwritten 3s from 8s. The loss is convex, so where its gradient is zero is the best fit
there is; Newton's method gets there in a few steps.
"""

import sys

import numpy

import minpy
import minpy.numpy as np
from minpy import datasets


def threes_and_eights():
    """Return pixels from 0 to 1 with a column of ones, and whether it is an 8, in float64."""
    parts = []
    for x, y in datasets.digits():
        chosen = (y == 3) | (y == 8)
        pixels = x[chosen].reshape(-1, 64).astype("float64") / 16
        parts.append((numpy.hstack([pixels, numpy.ones((len(pixels), 1))]), y[chosen] == 8))
    return parts


def make_loss(x, is_eight, decay):
    x, sign = np.array(x), np.array(numpy.where(is_eight, 1.0, -1.0))

    def loss(w):
        # log(1 + exp(-z)), without overflow, and a penalty so that the weights stay finite.
        return np.mean(np.logaddexp(0.0, -sign * np.dot(x, w))) + decay * np.sum(w * w)

    return loss


def newton(loss, w, tolerance=1e-10, most=30):
    """Minimize a convex function; return where, and the gradient's norm at each step."""
    gradient, hessian = minpy.grad(loss), minpy.hessian(loss)
    norms = []
    for _ in range(most):
        g = gradient(w)
        norms.append(float(np.linalg.norm(g)))
        if norms[-1] < tolerance:
            break
        w = w - np.linalg.solve(hessian(w), g)
    return w, norms


def main(small=False):
    (x, y), (x_test, y_test) = threes_and_eights()
    if small:
        x, y = x[:200], y[:200]
    loss = make_loss(x, y, decay=1e-3)
    w, norms = newton(loss, np.zeros(65, dtype="float64"))
    for step, norm in enumerate(norms):
        print(f"step {step}: norm of the gradient {norm:.3g}")
    accuracy = float(((x_test @ w.asnumpy() > 0) == y_test).mean())
    print(f"loss {float(loss(w)):.4f} after {len(norms) - 1} steps")
    print(f"{accuracy:.1%} of {len(y_test)} digits that it hasn't seen are right")
    return {"w": w, "loss": loss, "norms": norms, "accuracy": accuracy}


if __name__ == "__main__":
    main("--small" in sys.argv)
