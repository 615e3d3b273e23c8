"""Other libraries' functions on minpy arrays: protocols, pickles, copies, buffers."""

from __future__ import annotations

import copy
import gc
import io
import math
import pickle
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import DifferentiationError, NoDerivativeError


@pytest.fixture
def x():
    return np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])


def test_numpy_functions_return_minpy_arrays(x):
    plain = x.asnumpy()
    for found, expected in [
        (numpy.sin(x), numpy.sin(plain)),
        (numpy.add(plain, x), plain + plain),
        (numpy.concatenate([x, plain]), numpy.concatenate([plain, plain])),
        (numpy.linalg.norm(x), numpy.linalg.norm(plain)),
        (numpy.sum(x, axis=1), plain.sum(1)),
        (numpy.maximum(x, 0.0), numpy.maximum(plain, 0)),
        (numpy.where(x > 0, x, 0.0), numpy.where(plain > 0, plain, 0)),
        (numpy.einsum("ij->j", x), plain.sum(0)),
        (numpy.fft.fft(x).real, numpy.fft.fft(plain).real),
        (numpy.add.reduce(x), plain.sum(0)),
        (numpy.add.outer(x[0], x[1]), numpy.add.outer(plain[0], plain[1])),
        (numpy.multiply.accumulate(x, axis=1), numpy.multiply.accumulate(plain, axis=1)),
        (numpy.logaddexp.reduce(x, axis=1), numpy.logaddexp.reduce(plain, axis=1)),
        (numpy.hypot.reduceat(x, [0, 1], axis=1), numpy.hypot.reduceat(plain, [0, 1], axis=1)),
    ]:
        assert type(found) is np.ndarray
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: numpy.sum(numpy.sin(x) * x),
        lambda x: numpy.sum(numpy.concatenate([x, x * 2]) ** 2),
        lambda x: numpy.linalg.norm(x),
        lambda x: numpy.sum(numpy.ones((2, 3)) * x + numpy.arange(3.0)),
        lambda x: numpy.sum(numpy.add.reduce(x * x)),
        lambda x: numpy.sum(numpy.multiply.outer(x, x)),
        lambda x: numpy.trapz(numpy.exp(x)).sum(),
        lambda x: (numpy.float64(2.0) * x).sum(),
    ],
)
def test_gradients_flow_through_numpy_functions(function, x):
    minpy.check_grads(function, order=2)(x)


def test_operators_with_numpy_arrays_on_either_side(x):
    plain = x.asnumpy()
    for found in (plain + x, x + plain, plain * x, plain @ x.T, plain < x, -plain / x):
        assert type(found) is np.ndarray
    assert (plain == x).all()


def test_augmented_assignment_to_a_numpy_array_writes_its_memory(x):
    target = numpy.ones((2, 3))
    alias = target
    target += x
    assert target is alias
    numpy.testing.assert_allclose(target, 1 + x.asnumpy())


def test_augmented_assignment_to_a_numpy_array_keeps_the_gradient():
    def f(x):
        total = numpy.zeros(3)
        total += x * x
        total += x
        return np.sum(total)

    numpy.testing.assert_allclose(minpy.grad(f)(np.ones(3)).asnumpy(), [3, 3, 3])


def test_out_as_a_numpy_array_refuses_a_tracked_result():
    def f(x):
        buffer = numpy.zeros(3)
        numpy.multiply(x, x, out=buffer)
        return np.sum(x)

    with pytest.raises(DifferentiationError, match="out is a NumPy array"):
        minpy.grad(f)(np.ones(3))
    buffer = numpy.zeros(3)
    assert numpy.multiply(np.ones(3), 2.0, out=buffer) is buffer
    assert buffer.tolist() == [2, 2, 2]


def test_storing_a_tracked_array_in_a_numpy_array_is_an_error():
    def f(x):
        buffer = numpy.zeros(3)
        buffer[:2] = x[:2]
        return np.sum(x)

    with pytest.raises(DifferentiationError, match="lose the gradient"):
        minpy.grad(f)(np.ones(3))


@pytest.mark.parametrize("leave", [float, complex, math.sin, lambda v: numpy.zeros(3).fill(v)])
def test_a_number_made_of_a_tracked_array_is_a_constant_and_says_so(leave):
    def f(x):
        leave(x[0])
        return np.sum(x)

    with pytest.warns(UserWarning, match="no gradient flows"):
        minpy.grad(f)(np.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leave(np.array(0.5))
        minpy.grad(lambda x: np.sum(x) * x[0].item() * (1 if x[0] > 0 else 2))(np.ones(3))


def test_ufunc_at(x):
    target = np.zeros(3)
    numpy.add.at(target, [0, 0, 2], np.array([1.0, 2.0, 3.0]))
    assert target.tolist() == [3, 0, 3]
    np.negative.at(target, [0])
    assert target.tolist() == [-3, 0, 3]

    def f(v):
        total = v * 2
        np.add.at(total, np.array([0, 0, 2]), v)
        return np.sum(total * total)

    minpy.check_grads(f, order=2)(np.array([0.3, -1.2, 2.0]))


def test_a_class_that_handles_numpy_functions_itself_is_asked():
    class Own:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return ("own", ufunc.__name__)

        def __array_function__(self, func, types, args, kwargs):
            return ("own", func.__name__)

    assert numpy.add(np.ones(2), Own()) == ("own", "add")
    assert numpy.concatenate([np.ones(2), Own()]) == ("own", "concatenate")


def test_operands_that_cannot_be_arrays_get_their_turn():
    class Unit:
        def __rmul__(self, other):
            return ("times", other)

        __array_ufunc__ = None

    product = np.ones(2) * Unit()
    assert product[0] == "times"
    for other in (object(), "text", None, {}):
        with pytest.raises(TypeError, match="unsupported operand"):
            np.ones(2) + other
    assert (np.ones(2) == None).tolist() == (numpy.ones(2) == None).tolist()  # noqa: E711
    assert (np.ones(2) != "text").tolist() == (numpy.ones(2) != "text").tolist()
    assert (np.ones(2) == object()) is False


def test_asarray_shares_memory_and_outlives_a_rebinding():
    x = np.zeros(4)
    seen = numpy.asarray(x)
    x[0] = 1.0
    assert seen.tolist() == [1, 0, 0, 0]
    vjp, _ = minpy.make_vjp(lambda v: v * v)(x)
    x[1] = 5.0  # the tape needs the old memory: x moves on
    del vjp
    x = None
    gc.collect()
    _ = [numpy.ones(4) for _ in range(100)]
    assert seen.tolist() == [1, 0, 0, 0]


def test_array_interface_describes_the_memory():
    x = np.arange(6.0).reshape(2, 3).T
    interface = x.__array_interface__
    assert interface["shape"] == (3, 2)
    assert interface["strides"] == x.strides
    assert interface["data"][0] == numpy.asarray(x).__array_interface__["data"][0]


def test_a_tracked_array_refuses_to_leave():
    def by(leave):
        def f(x):
            leave(x)
            return np.sum(x)

        with pytest.raises(DifferentiationError, match="lose the gradient"):
            minpy.grad(f)(np.ones(3))

    by(numpy.asarray)
    by(lambda x: numpy.array(x, dtype=float))
    by(lambda x: x.__array__())
    by(numpy.from_dlpack)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol, x):
    back = pickle.loads(pickle.dumps({"x": x, "t": x.T}, protocol))
    assert back["x"].tolist() == x.tolist()
    assert back["t"].tolist() == x.T.tolist()
    assert back["x"].dtype == x.dtype
    assert back["x"].context == x.context


def test_pickles_lie_as_numpy_s():
    plain = numpy.arange(24.0).reshape(2, 3, 4)
    for value in (plain[0].T, plain.transpose(1, 0, 2), plain[:, ::2], plain[:, :, 1]):
        back = pickle.loads(pickle.dumps(np.asarray(value)))
        assert back.strides == pickle.loads(pickle.dumps(value)).strides
        assert back.tolist() == value.tolist()


def test_functions_pickle(x):
    for function in (np.sin, np.sum, np.linalg.norm, np.fft.fft, np.add, np.median, np.concatenate):
        back = pickle.loads(pickle.dumps(function))
        assert back is function or back([x[0], x[0]]).tolist() == function([x[0], x[0]]).tolist()


def test_copies_have_memory_of_their_own_and_keep_gradients(x):
    for copied in (copy.copy(x), copy.deepcopy(x), x.copy(), np.copy(x), np.array(x)):
        copied[0, 0] = 100.0
        assert x[0, 0] == 1.0
    for make in (copy.copy, copy.deepcopy, np.copy, np.array, lambda v: v.copy()):
        g = minpy.grad(lambda v, make=make: np.sum(make(v) * v))(x)
        numpy.testing.assert_allclose(g.asnumpy(), 2 * x.asnumpy())


def test_dlpack_both_ways():
    x = np.arange(6.0).reshape(2, 3)
    there = numpy.from_dlpack(x)
    assert type(there) is numpy.ndarray
    x[0, 0] = 9.0
    assert there[0, 0] == 9.0
    assert x.__dlpack_device__() == (1, 0)
    source = numpy.arange(4.0)
    back = np.from_dlpack(source)
    assert type(back) is np.ndarray
    source[0] = 7.0
    assert back[0] == 7.0
    assert np.from_dlpack(x) is x


def test_dlpack_with_torch():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(3.0)
    x = np.from_dlpack(tensor)
    tensor[0] = 5.0
    assert x.tolist() == [5, 1, 2]
    assert torch.from_dlpack(x).tolist() == [5, 1, 2]


def test_matplotlib_takes_it(x):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot(np.arange(3.0), x[0])
    axes.imshow(x)
    axes.hist(x[0])
    axes.scatter(x[0], x[1], c=x[0])
    axes.fill_between(np.arange(3.0), x[0], x[1])
    axes.bar(np.arange(3), x[0])
    figure.savefig(io.BytesIO(), format="png")
    plt.close(figure)
    numpy.testing.assert_allclose(axes.lines[0].get_ydata(), x[0].asnumpy())


def test_scipy_takes_it(x):
    stats = pytest.importorskip("scipy.stats")
    from scipy import interpolate, linalg, optimize, signal, sparse, special

    spd = x @ x.T + 3 * np.eye(2)
    numpy.testing.assert_allclose(linalg.inv(spd), numpy.linalg.inv(spd.asnumpy()), rtol=1e-5)
    assert special.erf(x).shape == (2, 3)
    assert stats.describe(x[0]).nobs == 3
    assert signal.convolve(x[0], x[1]).shape == (5,)
    assert sparse.csr_matrix(x).nnz == 6
    assert interpolate.interp1d(np.arange(3.0), x[0])(0.5) == pytest.approx(-0.5)

    def loss(v):
        return float(np.sum((np.array(v) - 1.0) ** 2))

    def slope(v):
        return minpy.grad(lambda w: np.sum((w - 1.0) ** 2))(np.array(v)).asnumpy()

    assert optimize.minimize(loss, numpy.zeros(3), jac=slope).success


def test_a_ufunc_of_scipy_has_no_derivative():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(NoDerivativeError, match="erf"):
        minpy.grad(lambda x: np.sum(special.erf(x)))(np.ones(3))


def test_sklearn_takes_it():
    linear_model = pytest.importorskip("sklearn.linear_model")
    features = np.array(numpy.random.default_rng(0).normal(size=(30, 2)))
    target = features @ np.array([1.0, -2.0]) + 0.5
    model = linear_model.LinearRegression().fit(features, target)
    numpy.testing.assert_allclose(model.coef_, [1, -2], atol=1e-5)
    assert model.predict(features).shape == (30,)


def test_pandas_takes_it(x):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=list("abc"))
    assert frame["a"].tolist() == [1.0, 4.0]
    assert pandas.Series(x[0]).sum() == 2.0
    assert type(np.array(frame)) is np.ndarray


def test_python_numbers():
    x = np.array(2.5)
    assert float(x) == 2.5 and int(x) == 2 and complex(x) == 2.5 and bool(x)
    assert [10, 20, 30][np.array(1)] == 20
    assert f"{x:.2f}" == "2.50"
    assert list(range(np.array(3))) == [0, 1, 2]
    with pytest.raises(ValueError, match="truth value"):
        bool(np.ones(2))
    with pytest.raises(TypeError):
        float(np.ones(2))
    with pytest.raises(TypeError):
        range(np.array(1.5))


def test_repr_says_dtype_and_context_where_they_are_not_the_default():
    assert repr(np.ones(2)) == "array([1., 1.])"
    assert repr(np.ones(2, dtype="float64")) == "array([1., 1.], dtype=float64)"
    assert repr(np.arange(2)) == "array([0, 1])"
    assert repr(np.ones(2, dtype="int32")) == "array([1, 1], dtype=int32)"
    assert repr(np.array(1.0)) == "array(1.)"
    assert repr(np.zeros((0, 2))) == "array([], shape=(0, 2))"
    assert str(np.ones(2)) == "[1. 1.]"
    long = repr(np.linspace(0, 1, 12).reshape(3, 4))
    assert "dtype" not in long and not long.rstrip(")").endswith((",", " "))
    minpy.set_default_dtype("float64")
    try:
        assert repr(np.ones(2)) == "array([1., 1.])"
        assert repr(np.ones(2, dtype="float32")) == "array([1., 1.], dtype=float32)"
    finally:
        minpy.set_default_dtype("float32")


def test_numpy_functions_keep_the_masks_of_masked_arrays(x):
    masked = numpy.ma.array([[1.0, 2.0, 3.0]], mask=[[True, False, False]])
    found = numpy.ma.concatenate([masked, x.asnumpy()])
    assert numpy.concatenate([masked, x]).shape == (3, 3)
    assert numpy.ma.getmaskarray(found)[0].tolist() == [True, False, False]
    total = np.polyadd(masked[0], x[0])
    expected = numpy.polyadd(masked[0], x[0].asnumpy())
    assert type(total) is type(expected) and total.tolist() == expected.tolist()
    with pytest.raises(DifferentiationError, match="masked array"):
        minpy.grad(lambda y: np.sum(numpy.concatenate([masked, y])))(x)


def test_functions_that_no_module_of_numpy_has_get_arrays_too(x):
    from numpy.core.overrides import array_function_dispatch

    @array_function_dispatch(lambda a: (a,), module="elsewhere")
    def doubled(a):
        return numpy.multiply(a, 2)

    assert doubled(x).tolist() == (x.asnumpy() * 2).tolist()
    with pytest.raises(NoDerivativeError, match="doubled has no derivative"):
        minpy.grad(lambda y: np.sum(doubled(y)))(x)


def test_objects_among_the_operands_lose_no_derivative(x):
    text = numpy.array(["a", "b"])
    assert numpy.array_equal(numpy.isin(x, text), numpy.isin(x.asnumpy(), text))
    with pytest.raises((TypeError, DifferentiationError)):
        minpy.grad(lambda y: np.sum(numpy.append(y, text)))(x)


def test_a_class_that_does_not_know_a_ufunc_does_not_lose_a_derivative(x):
    class Unsure:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return NotImplemented

    with pytest.raises(TypeError):
        numpy.add(x, Unsure())
    with pytest.raises(TypeError):
        minpy.grad(lambda y: np.sum(numpy.add(y, Unsure())))(x)


def test_the_memory_of_a_file_is_an_array(tmp_path):
    path = tmp_path / "stored.npy"
    numpy.save(path, numpy.arange(4.0))
    mapped = np.load(path, mmap_mode="r+")
    assert type(mapped) is np.ndarray and mapped.tolist() == [0, 1, 2, 3]
    mapped[1] = 9.0
    assert numpy.load(path).tolist() == [0, 9, 2, 3]


class Recorder:
    """An array of another library: says what it was asked to make."""

    def __array_function__(self, func, types, args, kwargs):
        return func.__name__, args


LIKE_CALLS = {
    "arange": (3,),
    "array": ([1.0],),
    "asanyarray": ([1.0],),
    "asarray": ([1.0],),
    "ascontiguousarray": ([1.0],),
    "asfortranarray": ([1.0],),
    "empty": (3,),
    "eye": (3,),
    "frombuffer": (bytes(8),),
    "fromiter": ([1.0, 2.0], float),
    "full": (3, 1.0),
    "identity": (2,),
    "loadtxt": (["1 2"],),
    "ones": (2,),
    "require": ([1.0],),
    "tri": (3,),
    "zeros": (2,),
}


@pytest.mark.parametrize(("name", "args"), LIKE_CALLS.items(), ids=LIKE_CALLS)
def test_like_decides_whose_array_is_made(name, args):
    make, original = getattr(np, name), getattr(numpy, name)
    assert make(*args, like=Recorder())[0] == name
    for ours in (np.ones(1), numpy.ones(1), numpy.ma.ones(1), None):
        found = make(*args, like=ours)
        assert isinstance(found, np.ndarray) and found.shape == original(*args).shape
    for wrong in (1, [1.0], "x"):
        with pytest.raises(TypeError) as expected:
            original(*args, like=wrong)
        with pytest.raises(TypeError) as found:
            make(*args, like=wrong)
        assert str(found.value) == str(expected.value)


def test_like_a_minpy_array_is_on_its_device():
    pytest.importorskip("mxnet")
    x = np.ones(2, ctx=minpy.cpu(1))
    assert np.zeros(3, like=x).context == np.array([1.0], like=x).context == minpy.cpu(1)
    assert np.zeros(3, like=x, ctx=minpy.cpu(0)).context == minpy.cpu(0)
