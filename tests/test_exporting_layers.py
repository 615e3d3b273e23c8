"""Every layer as ONNX: the numbers of its forward pass, or an error that says what there isn't."""

from __future__ import annotations

import numpy
import pytest
from test_functional_layers import KINDS, called, case, data_for, inputs_for

from minpy.autograd.containers import flatten
from minpy.exporting import NotExportable
from minpy.models import Model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Layers that ONNX has no counterpart of, and the primitive that their error names.
WITHOUT = {
    "ContrastLimitedAdaptiveHistogramEqualization": "image_equalized_by_tiles",
}


def run(path, data):
    """Return what onnxruntime makes of arrays."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, data, strict=True)))


def exported_and_own(model, data, path):
    """Return what ONNX makes of data, and what the model does."""
    own = [a.asnumpy() for a in flatten(model(data, training=False))[0]]
    model.export(path)
    return run(path, flatten(data)[0]), own


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_gives_the_same_numbers_in_onnxruntime(kind, tmp_path):
    shapes, options = case(kind.__name__)
    x = inputs_for(shapes)
    try:
        y = called(kind(**options), x)
    except TypeError as error:
        if "works on data" in str(error):
            pytest.skip("works on data, not inside a model")
        raise
    model = Model(x, y)
    data = data_for(shapes)
    if kind.__name__ in WITHOUT:
        with pytest.raises(NotExportable, match=WITHOUT[kind.__name__]) as raised:
            model.export(tmp_path / "a.onnx")
        assert f"layer '{model.layers[-1].name}'" in str(raised.value)
        return
    for samples in (2, 5):  # of any batch size
        more = [numpy.concatenate([a, a, a])[:samples] for a in flatten(data)[0]]
        given = more if isinstance(data, list) else more[0]
        found, own = exported_and_own(model, given, tmp_path / "a.onnx")
        for a, b in zip(found, own, strict=True):
            assert a.dtype == b.dtype
            numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
