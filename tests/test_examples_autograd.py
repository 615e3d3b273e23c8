"""The examples of differentiation, each small, reach what only a right gradient leads to."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys

import numpy
import pytest

import minpy
import minpy.numpy as np

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
NAMES = [
    "bayesian_neural_net",
    "fluid_simulation",
    "gaussian_process",
    "logistic_regression",
    "mixture_model",
    "ode_network",
    "policy_gradient",
    "rnn_by_hand",
]


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports an example."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.mark.parametrize("name", NAMES)
def test_examples_say_how_to_run_them(name):
    assert f"python examples/{name}.py [--small]" in (EXAMPLES / f"{name}.py").read_text()


def test_an_example_runs_as_a_program(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "logistic_regression.py"), "--small"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "it hasn't seen are right" in done.stdout and not done.stderr


def test_logistic_regression_finds_the_minimum(example):
    found = example("logistic_regression").main(small=True)
    # The loss is strictly convex, so a zero gradient is the one minimum; and Newton's method
    # converges quadratically only where the Hessian is right.
    *_, before, last = found["norms"]
    assert last < 1e-10 and last < 100 * before**2
    assert found["accuracy"] > 0.95  # 3s and 8s are half and half
    # Nothing near it is better.
    rng = numpy.random.default_rng(0)
    best = float(found["loss"](found["w"]))
    for _ in range(5):
        assert float(found["loss"](found["w"] + 0.01 * rng.standard_normal(65))) > best


def test_a_gaussian_process_recovers_the_noise_and_the_swing(example):
    module = example("gaussian_process")
    found = module.main(small=True)
    # Of 51 measurements the deviation is known to about one in √102; three times that.
    assert abs(found["noise"] / module.NOISE - 1) < 0.3
    # Smoothing has to be better than each measurement alone.
    assert found["error"] < 0.7 * module.NOISE
    assert found["inside"] > 0.9  # 95 % of a normal distribution
    assert found["values"][-1] < found["values"][0] - 50
    assert found["norm"] < 0.5  # nearly at the maximum, from more than 50 at the start


def test_the_gaussian_processs_likelihood_is_the_normal_density(example):
    module = example("gaussian_process")
    t, y = numpy.array([0.0, 0.3, 1.0]), numpy.array([0.1, -0.2, 0.4])
    log = {"scale": -0.5, "amplitude": 0.2, "noise": -1.0}
    covariance = numpy.exp(0.4) * numpy.exp(
        -0.5 * ((t[:, None] - t) / numpy.exp(-0.5)) ** 2
    ) + numpy.eye(3) * (numpy.exp(-2) + 1e-8)
    expected = 0.5 * (
        y @ numpy.linalg.inv(covariance) @ y
        + numpy.log(numpy.linalg.det(covariance))
        + 3 * numpy.log(2 * numpy.pi)
    )
    log = {k: np.array(numpy.float64(v)) for k, v in log.items()}
    found = module.negative_log_likelihood(log, np.array(t), np.array(y))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_a_mixture_is_at_least_as_likely_as_what_it_was_drawn_from(example):
    module = example("mixture_model")
    found = module.main(small=True)
    # The best fit can't be worse than the truth, and by Wilks' theorem twice the difference of the
    # log likelihoods is about χ² of the 17 parameters: below 50 in all but one of 10⁴ cases.
    gain = 2 * found["samples"] * (found["best"] - found["truth"])
    assert 0 <= gain < 50
    # Parameters within four standard errors of the smallest Gaussian, of 200 points.
    assert numpy.abs(found["means"] - module.MEANS).max() < 4 * 1.2 / numpy.sqrt(200)
    assert numpy.abs(found["weights"] - module.WEIGHTS).max() < 4 * 0.5 / numpy.sqrt(1000)
    numpy.testing.assert_allclose(found["covariances"], module.COVARIANCES, atol=0.4)


def test_a_mixtures_parameters_stand_for_what_they_were_made_of(example):
    module = example("mixture_model")
    params = module.parameters_of(module.WEIGHTS, module.MEANS, module.COVARIANCES)
    numpy.testing.assert_allclose(module.covariances(params), module.COVARIANCES, rtol=1e-9)
    x = numpy.array([[0.5, -1.0], [3.0, 2.0]])
    density = 0
    for w, mean, covariance in zip(module.WEIGHTS, module.MEANS, module.COVARIANCES, strict=True):
        off = x - mean
        square = numpy.einsum("ni,ij,nj->n", off, numpy.linalg.inv(covariance), off)
        volume = 2 * numpy.pi * numpy.sqrt(numpy.linalg.det(covariance))
        density = density + w * numpy.exp(-0.5 * square) / volume
    found = module.log_likelihood(params, np.array(x))
    assert float(found) == pytest.approx(numpy.log(density).mean(), rel=1e-9)


def test_a_bayesian_network_is_sure_where_it_was_measured(example):
    module = example("bayesian_neural_net")
    found = module.main(small=True)
    # Better than one measurement, and its error is what its own spread says.
    assert found["error"] < module.NOISE
    assert found["error"] < 2 * found["sure"]
    assert found["outside"] > 1.5 * found["sure"]
    assert numpy.mean(found["bounds"][-20:]) > numpy.mean(found["bounds"][:20]) + 500


def test_the_bayesian_networks_bound_is_a_bound(example):
    module = example("bayesian_neural_net")
    # With no measurements the posterior is the prior and the evidence is one: the bound is zero
    # there on average, and elsewhere below by the divergence of the two.
    params = {
        "mean": np.zeros(module.SIZE, dtype="float64"),
        "log": np.zeros(module.SIZE, dtype="float64"),
    }
    noise = numpy.random.default_rng(0).standard_normal((4000, module.SIZE))
    nothing = np.zeros((0, 1), dtype="float64")
    bound = module.evidence_lower_bound(params, np.array(noise), nothing, nothing)
    error = numpy.sqrt(module.SIZE / 2 / 4000)
    assert abs(float(bound)) < 4 * error
    moved = {**params, "mean": params["mean"] + 0.5}
    worse = module.evidence_lower_bound(moved, np.array(noise), nothing, nothing)
    assert float(worse) == pytest.approx(-module.SIZE * 0.5**2 / 2, abs=0.5)


def test_a_wind_is_found_that_blows_the_smoke_where_it_should_be(example):
    found = example("fluid_simulation").main(small=True)
    assert found["losses"][-1] < 0.1 * found["losses"][0]
    # The gradient through all steps is that of finite differences, along a random direction.
    rng = numpy.random.default_rng(0)
    loss, velocity = found["loss"], found["velocity"]
    direction = {k: rng.standard_normal(v.shape) for k, v in velocity.items()}
    g = minpy.grad(loss)(velocity)
    along = sum(float(np.sum(g[k] * d)) for k, d in direction.items())
    h = 1e-6

    def moved(by):
        return float(loss({k: v + by * direction[k] for k, v in velocity.items()}))

    assert (moved(h) - moved(-h)) / (2 * h) == pytest.approx(along, rel=1e-3, abs=1e-7)


def test_the_fluid_neither_springs_up_nor_vanishes(example):
    module = example("fluid_simulation")
    box = module.Box(16)
    rng = numpy.random.default_rng(0)
    v = box.project(
        np.array(rng.standard_normal((16, 16))), np.array(rng.standard_normal((16, 16)))
    )
    assert float(np.abs(box.divergence(*v)).max()) < 1e-12
    again = box.project(*v)
    numpy.testing.assert_allclose(again[0].asnumpy(), v[0].asnumpy(), atol=1e-12)
    # A wind of whole cells moves the smoke by as many, and brings it round again.
    smoke = np.array(rng.random((16, 16)))
    one = np.ones((16, 16), dtype="float64")
    moved = box.advect(smoke, 2 * one, -3 * one)
    numpy.testing.assert_allclose(moved.asnumpy(), numpy.roll(smoke, (2, -3), (0, 1)), atol=1e-12)


def test_an_ode_network_learns_the_law_of_motion(example):
    found = example("ode_network").main(small=True)
    # On a swing that it hasn't seen, ten times as long as what it was trained on: 5 % of its size.
    assert found["error"] < 0.05 * found["size"]
    assert found["losses"][-1] < found["losses"][0] / 100


def test_the_integrator_is_of_order_four(example, monkeypatch):
    module = example("ode_network")
    errors = []
    for step, count in ((0.2, 5), (0.1, 10)):
        monkeypatch.setattr(module, "STEP", step)
        end = module.runge_kutta(lambda s: -s, np.array([1.0], dtype="float64"), count)[-1]
        errors.append(abs(float(end[0]) - numpy.exp(-1)))
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.15)


def test_a_recurrent_network_uses_what_came_before(example):
    found = example("rnn_by_hand").main(small=True)
    assert found["losses"][0] == pytest.approx(numpy.log(found["letters"]), rel=0.05)
    # Nothing that looks at frequencies alone can be better than their entropy.
    assert found["loss"] < found["guess"] - 0.4


def test_a_cart_learns_to_balance_its_pole(example):
    found = example("policy_gradient").main(small=True)
    assert found["lengths"][0] < 40  # at random
    assert found["final"] > 0.9 * found["limit"]


def test_the_policy_gradient_is_that_of_the_return(example):
    """On one step with known rewards, the surrogate's gradient is that of the expected reward."""
    module = example("policy_gradient")
    params = module.start(numpy.random.default_rng(0))
    states = np.array(numpy.random.default_rng(1).standard_normal((5, 4)))
    rewards = numpy.array([1.0, -2.0, 0.5, 3.0, -1.0])  # of pushing right; of left it is zero

    def expected(params):
        return -np.mean(rewards / (1 + np.exp(-module.push_right(params, states))))

    right = 1 / (1 + np.exp(-module.push_right(params, states)))
    # The expectation over both actions of the surrogate with the reward as its weight.
    g = minpy.grad(module.surrogate)(
        params, states, np.array([True] * 5), np.array(rewards) * right
    )
    for name, value in minpy.grad(expected)(params).items():
        numpy.testing.assert_allclose(g[name].asnumpy(), value.asnumpy(), rtol=1e-8, atol=1e-12)
