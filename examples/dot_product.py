"""Time ``np.dot`` of two 1024×1024 matrices on the CPU and on the GPU, beside plain NumPy.

    python examples/dot_product.py

The arrays are made where they are used, so no iteration copies anything between host and device.
The GPU works asynchronously: each iteration waits until its result is there.
"""

import statistics
import sys
import time

import numpy

import minpy
import minpy.numpy as np
from minpy.context import cpu, gpu

SIZE = 1024
REPEATS = 20


def seconds_each(multiply, repeats=REPEATS):
    """Return the median time of a call, after one that warms up."""
    multiply()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def timed_on(context):
    with context:
        x = np.random.uniform(size=(SIZE, SIZE))
        y = np.random.uniform(size=(SIZE, SIZE))

        def multiply():
            z = np.dot(x, y)
            z.wait_to_read()
            return z

        assert multiply().context == context
        return seconds_each(multiply)


def main():
    rng = numpy.random.default_rng(0)
    a = rng.random((SIZE, SIZE), dtype="float32")
    b = rng.random((SIZE, SIZE), dtype="float32")
    plain = seconds_each(lambda: a @ b)
    print(f"{SIZE}×{SIZE} float32 dot, median of {REPEATS}")
    print(f"  numpy               {plain * 1e3:8.2f} ms")
    on_cpu = timed_on(cpu())
    print(f"  minpy, with cpu()   {on_cpu * 1e3:8.2f} ms   {plain / on_cpu:5.2f}× numpy's speed")
    try:
        on_gpu = timed_on(gpu(0))
    except minpy.errors.ContextError as reason:
        print(f"  minpy, with gpu(0)  skipped: {reason}")
        return plain, on_cpu, None
    print(f"  minpy, with gpu(0)  {on_gpu * 1e3:8.2f} ms   {plain / on_gpu:5.2f}× numpy's speed")
    return plain, on_cpu, on_gpu


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
