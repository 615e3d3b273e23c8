"""A fluid simulation optimized through time: a wind is found that blows smoke into a shape.

    python examples/fluid_simulation.py [--small] [PICTURE]

The unknown is the velocity at the beginning. The simulation carries the smoke and the velocity
itself along for some steps (Stam, "Stable fluids", 1999), and the gradient of the distance between
the smoke at the end and the shape goes back through all of it: interpolation, Fourier transforms
and all.
"""

import sys

import numpy
from descent import adam

import minpy
import minpy.numpy as np


def disk(n, center, radius):
    """Return an image of a disk, soft at its border, and periodic as the box is."""
    i = numpy.arange(n)
    off = [numpy.abs(i - c) for c in center]
    off = [numpy.minimum(d, n - d) for d in off]
    distance = numpy.sqrt(off[0][:, None] ** 2 + off[1][None, :] ** 2)
    return 1 / (1 + numpy.exp(2 * (distance - radius)))


def ring(n, radius):
    """Return an image of a ring in the middle."""
    return disk(n, (n / 2, n / 2), radius) - disk(n, (n / 2, n / 2), 0.55 * radius)


class Box:
    """A periodic box of n × n cells, full of a fluid without viscosity."""

    def __init__(self, n):
        self.n = n
        self.rows, self.columns = (np.array(a, dtype="float64") for a in numpy.mgrid[:n, :n])
        k = 2 * numpy.pi * numpy.fft.fftfreq(n)
        k[n // 2] = 0  # the frequency that has no sign
        self.ky, self.kx = np.array(k[:, None] + 0 * k), np.array(k + 0 * k[:, None])
        square = self.ky**2 + self.kx**2
        self.inverse = np.where(square == 0, 0.0, 1 / np.where(square == 0, 1.0, square))

    def project(self, vy, vx):
        """Take out of a velocity what diverges, exactly, where it is a multiplication."""
        fy, fx = np.fft.fft2(vy), np.fft.fft2(vx)
        along = (self.ky * fy + self.kx * fx) * self.inverse
        return (np.real(np.fft.ifft2(fy - self.ky * along)),
                np.real(np.fft.ifft2(fx - self.kx * along)))  # fmt: skip

    def divergence(self, vy, vx):
        f = 1j * (self.ky * np.fft.fft2(vy) + self.kx * np.fft.fft2(vx))
        return np.real(np.fft.ifft2(f))

    def advect(self, field, vy, vx):
        """Carry a field along: its value is that at the place which the fluid comes from."""
        y, x = self.rows - vy, self.columns - vx
        top, left = np.floor(y), np.floor(x)
        wy, wx = y - top, x - left
        i, j = top.astype("int64") % self.n, left.astype("int64") % self.n
        below, right = (i + 1) % self.n, (j + 1) % self.n
        return ((1 - wy) * ((1 - wx) * field[i, j] + wx * field[i, right])
                + wy * ((1 - wx) * field[below, j] + wx * field[below, right]))  # fmt: skip

    def simulate(self, vy, vx, smoke, steps):
        """Return the smoke after some steps, and at each of them."""
        frames = [smoke]
        vy, vx = self.project(vy, vx)
        for _ in range(steps):
            vy, vx = self.project(self.advect(vy, vy, vx), self.advect(vx, vy, vx))
            smoke = self.advect(smoke, vy, vx)
            frames.append(smoke)
        return smoke, frames


def draw(picture, frames, target):
    from matplotlib.figure import Figure

    shown = [*frames[:: max(1, len(frames) // 5)], frames[-1], target]
    figure = Figure(figsize=(2 * len(shown), 2.2), layout="constrained")
    for axes, image in zip(figure.subplots(1, len(shown)), shown, strict=True):
        axes.imshow(numpy.asarray(image), cmap="gray_r", vmin=0, vmax=1)
        axes.set_axis_off()
    axes.set_title("the shape")
    figure.savefig(picture, dpi=100)


def main(small=False, picture=None):
    n, steps, updates = (16, 8, 60) if small else (40, 16, 200)
    box = Box(n)
    smoke = np.array(disk(n, (n / 2, n / 2), 0.28 * n))
    target = np.array(disk(n, (n / 2, 0.75 * n), 0.28 * n) if small else ring(n, 0.42 * n))

    def loss(velocity):
        final, _ = box.simulate(velocity["y"], velocity["x"], smoke, steps)
        return np.mean((final - target) ** 2)

    objective = minpy.value_and_grad(loss)
    losses = []

    def gradient(velocity, step):
        value, g = objective(velocity)
        losses.append(float(value))
        if step % 20 == 0:
            print(f"update {step}: distance to the shape {losses[-1]:.5f}")
        return g

    start = {"y": np.zeros((n, n), dtype="float64"), "x": np.zeros((n, n), dtype="float64")}
    velocity = adam(gradient, start, updates, rate=0.05)
    losses.append(float(loss(velocity)))
    _, frames = box.simulate(velocity["y"], velocity["x"], smoke, steps)
    print(f"{losses[0]:.5f} without wind, {losses[-1]:.5f} with the wind found")
    if picture:
        draw(picture, frames, target)
    return {"losses": losses, "loss": loss, "box": box, "velocity": velocity, "frames": frames}


if __name__ == "__main__":
    pictures = [a for a in sys.argv[1:] if a != "--small"]
    main("--small" in sys.argv, *pictures)
