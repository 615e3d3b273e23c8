"""Turn a photograph gray by a product with the weights of the eye, beside plain NumPy.

    python examples/grayscale.py [IMAGE]

The photograph is an array (height, width, 3), the weights are those of ITU-R BT.601. Without an
argument it is the portrait of Grace Hopper that comes with matplotlib (US Navy, public domain).
"""

import pathlib
import sys

import numpy
from dot_product import seconds_each

import minpy
import minpy.numpy as np
from minpy.context import cpu, gpu

WEIGHTS = [0.299, 0.587, 0.114]


def photograph(path=None):
    """Return an image as float32 (height, width, 3), from 0 to 1."""
    from PIL import Image

    if path is None:
        import matplotlib

        path = pathlib.Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as image:
        return numpy.asarray(image.convert("RGB"), "float32") / 255


def timed_on(context, image):
    with context:
        photo = np.array(image)
        weights = np.array(WEIGHTS)

        def gray():
            result = np.dot(photo, weights)
            result.wait_to_read()
            return result

        result = gray()
        assert result.context == context
        return seconds_each(gray), result.asnumpy()


def main(path=None, save_as=None):
    image = photograph(path)
    weights = numpy.array(WEIGHTS, "float32")
    plain = seconds_each(lambda: numpy.dot(image, weights))
    expected = numpy.dot(image, weights)
    print(f"photograph {image.shape} times {WEIGHTS}, median time")
    print(f"  numpy               {plain * 1e3:8.2f} ms")
    on_cpu, result = timed_on(cpu(), image)
    numpy.testing.assert_allclose(result, expected, rtol=1e-5)
    print(f"  minpy, with cpu()   {on_cpu * 1e3:8.2f} ms   {plain / on_cpu:5.2f}× numpy's speed")
    try:
        on_gpu, result = timed_on(gpu(0), image)
        numpy.testing.assert_allclose(result, expected, rtol=1e-4)
        print(
            f"  minpy, with gpu(0)  {on_gpu * 1e3:8.2f} ms   {plain / on_gpu:5.2f}× numpy's speed"
        )
    except minpy.errors.ContextError as reason:
        print(f"  minpy, with gpu(0)  skipped: {reason}")
    if save_as is not None:
        from PIL import Image

        Image.fromarray((result * 255).round().astype("uint8")).save(save_as)
        print(f"  gray picture: {save_as}")
    return result


if __name__ == "__main__":
    main(*sys.argv[1:3])
