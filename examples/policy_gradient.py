"""A policy gradient: a cart learns to balance a pole from nothing but how long it stays up.

    python examples/policy_gradient.py [--small]

REINFORCE (Williams, 1992) with the mean return of all episodes at the same time as a baseline. The
cart and pole are those of Barto, Sutton and Anderson, "Neuronlike adaptive elements
that can solve difficult learning control problems", 1983, many of them at once.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np


class CartPoles:
    """Carts on tracks, each with a pole to balance; an action pushes left (0) or right (1).

    An episode ends when the pole leans more than 12 degrees, the cart leaves the track of 2.4 m to
    each side, or after `limit` steps of 0.02 s. The reward of a step is 1.
    """

    def __init__(self, carts, limit, rng):
        self.carts, self.limit, self.rng = carts, limit, rng

    def reset(self):
        """Put all carts near the middle; return their states, (carts, 4)."""
        self.state = self.rng.uniform(-0.05, 0.05, (self.carts, 4))
        self.up = numpy.ones(self.carts, bool)
        return self.state

    def step(self, action):
        """Push; return the states, and which poles are still up."""
        _, v, angle, turn = self.state.T
        force = numpy.where(action == 1, 10.0, -10.0)
        sine, cosine = numpy.sin(angle), numpy.cos(angle)
        # Gravity 9.8, cart 1 kg, pole 0.1 kg and 2 · 0.5 m.
        pushed = (force + 0.05 * turn**2 * sine) / 1.1
        bend = (9.8 * sine - cosine * pushed) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        speed_up = pushed - 0.05 * bend * cosine / 1.1
        change = numpy.stack([v, speed_up, turn, bend], axis=1)
        self.state = self.state + 0.02 * change
        fallen = (numpy.abs(self.state[:, 0]) > 2.4) | (
            numpy.abs(self.state[:, 2]) > numpy.deg2rad(12)
        )
        self.up &= ~fallen
        return self.state, self.up


def start(rng, units=16):
    return {
        "w1": np.array(0.5 * rng.standard_normal((4, units))),
        "b1": np.zeros(units, dtype="float64"),
        "w2": np.array(0.1 * rng.standard_normal(units)),
    }


def push_right(params, states):
    """Return the log-odds of pushing right."""
    return np.dot(np.tanh(np.dot(states, params["w1"]) + params["b1"]), params["w2"])


def play(poles, params, rng):
    """Play an episode on each cart.

    Returns
    -------
    states, actions, alive
        Of shapes (steps, carts, 4), (steps, carts) and (steps, carts): whether the step counts.
    """
    states, actions, alive = [], [], []
    state, up = poles.reset(), numpy.ones(poles.carts, bool)
    while up.any() and len(states) < poles.limit:
        right = 1 / (1 + numpy.exp(-push_right(params, np.array(state)).asnumpy()))
        action = rng.random(poles.carts) < right
        states.append(state)
        actions.append(action)
        alive.append(up.copy())
        state, up = poles.step(action)
    return numpy.array(states), numpy.array(actions), numpy.array(alive)


def advantages(alive):
    """Return how much longer each cart lasts from each step on than all do on average."""
    returns = numpy.cumsum(alive[::-1], axis=0)[::-1]
    count = alive.sum(1, keepdims=True)
    mean = (returns * alive).sum(1, keepdims=True) / numpy.maximum(count, 1)
    centred = (returns - mean) * alive
    return centred / (numpy.sqrt((centred**2).sum() / alive.sum()) + 1e-8)


def surrogate(params, states, actions, weights):
    """Return what has the policy gradient as its gradient: mean of -log p(action) · advantage."""
    logits = push_right(params, states)
    sign = np.where(actions, 1.0, -1.0)
    return np.mean(np.logaddexp(0.0, -sign * logits) * weights)


def main(small=False):
    rng = numpy.random.default_rng(0)
    updates, carts, limit = (30, 24, 200) if small else (150, 64, 500)
    poles = CartPoles(carts, limit, rng)
    objective = minpy.grad(surrogate)
    lengths = []

    def gradient(params, step):
        states, actions, alive = play(poles, params, rng)
        lengths.append(float(alive.sum(0).mean()))
        if step % 10 == 0:
            print(f"update {step}: a pole stays up for {lengths[-1]:.0f} steps of {limit}")
        counts = alive.ravel()
        chosen = [a.reshape(len(counts), -1)[counts] for a in (states, actions, advantages(alive))]
        x, a, w = (np.array(part) for part in chosen)
        return objective(params, x, a[:, 0], w[:, 0])

    params = adam(gradient, start(rng), updates, rate=0.1 if small else 0.05)
    _, _, alive = play(CartPoles(100, limit, rng), params, rng)
    final = float(alive.sum(0).mean())
    print(f"after {updates} updates: {final:.0f} steps of {limit}, {lengths[0]:.0f} at first")
    return {"lengths": lengths, "final": final, "limit": limit, "params": params}


if __name__ == "__main__":
    main("--small" in sys.argv)
