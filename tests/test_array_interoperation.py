"""Other libraries do with our arrays what they do with NumPy's, where they take any array."""

from __future__ import annotations

import array
import ctypes
import hashlib
import io
import struct
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import DifferentiationError, NoDerivativeError

_RNG = numpy.random.default_rng(4)
PLAIN = {
    "x": numpy.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]),
    "v": numpy.array([1.0, -2.0, 3.0]),
    "n": numpy.array([0, 1, 0]),
    "X": _RNG.normal(size=(40, 3)),
    "y": (_RNG.normal(size=40) > 0).astype("int64"),
}


def compare(function: Any) -> None:
    """Call a function with NumPy's arrays and with ours, and compare what it returns."""
    minpy.set_default_dtype("float64")
    expected = function(**PLAIN)
    found = function(**{name: np.array(value) for name, value in PLAIN.items()})
    assert_alike(found, expected)


def assert_alike(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            assert_alike(f, e)
    elif hasattr(expected, "equals"):  # of pandas
        assert type(found) is type(expected)
        assert found.equals(expected)
    else:
        # A library's result is NumPy's array, or ours where it came from a function of NumPy's.
        assert isinstance(found, type(expected) | np.ndarray)
        numpy.testing.assert_allclose(numpy.asarray(found), numpy.asarray(expected), rtol=1e-12)


# --- pandas ---------------------------------------------------------------------------------------

PANDAS = {
    "columns": lambda pd, x, **_: pd.DataFrame({"a": x[:, 0], "b": x[:, 1]}),
    "a new column": lambda pd, x, **_: pd.DataFrame({"a": x[:, 0]}).assign(b=x[:, 1]),
    "an index": lambda pd, v, **_: pd.Series([1, 2, 3], index=v),
    "series + array": lambda pd, v, **_: pd.Series([1.0, 2.0, 3.0]) + v,
    "array + series": lambda pd, v, **_: v + pd.Series([1.0, 2.0, 3.0]),
    "array ** series": lambda pd, v, **_: v ** pd.Series([1.0, 2.0, 3.0]),
    "array == series": lambda pd, v, **_: v == pd.Series([1.0, 2.0, 3.0]),
    "array * frame": lambda pd, x, **_: x * pd.DataFrame(x),
    "array @ frame": lambda pd, x, **_: x @ pd.DataFrame(x.T),
    "frame @ array": lambda pd, x, **_: pd.DataFrame(x) @ x.T,
    "by number": lambda pd, n, **_: pd.Series([1, 2, 3]).iloc[n],
    "cut": lambda pd, v, **_: pd.cut(v, 3).codes,
    "dummies": lambda pd, n, **_: pd.get_dummies(n),
    "concat": lambda pd, v, **_: pd.concat([pd.Series(v), pd.Series(v)]),
    "where": lambda pd, v, **_: pd.Series([1.0, 2.0, 3.0]).where(v > 0, v),
    "rolling": lambda pd, v, **_: pd.Series(v).rolling(2).mean(),
    "isna": lambda pd, v, **_: pd.isna(v),
    "times": lambda pd, n, **_: pd.to_datetime(n).to_series(),
    "a function of NumPy's": lambda pd, v, **_: numpy.maximum(pd.Series([0.0, 1.0, 2.0]), v),
}


@pytest.mark.parametrize("name", PANDAS)
def test_pandas(name):
    pandas = pytest.importorskip("pandas")
    compare(lambda **arrays: PANDAS[name](pandas, **arrays))


def test_a_data_frame_becomes_an_array_and_a_derivative_goes_through_one():
    pandas = pytest.importorskip("pandas")
    minpy.set_default_dtype("float64")
    frame = pandas.DataFrame(PLAIN["x"])
    assert type(np.array(frame)) is np.ndarray
    assert np.array(frame).tolist() == PLAIN["x"].tolist()
    series = frame[0]
    assert minpy.grad(lambda w: np.sum(w * series))(np.ones(2)).tolist() == [1.0, 4.0]
    with pytest.raises(DifferentiationError):
        minpy.grad(lambda w: np.sum(series * w))(np.ones(2))


# --- scikit-learn ---------------------------------------------------------------------------------


def _sklearn(name: str, kind: str, **options: Any) -> Any:
    module = pytest.importorskip(f"sklearn.{name}")
    return getattr(module, kind)(**options)


SKLEARN = {
    "scaler": lambda X, **_: _sklearn("preprocessing", "StandardScaler").fit_transform(X),
    "ridge": lambda X, y, **_: _sklearn("linear_model", "Ridge").fit(X, y, X[:, 0] ** 2).predict(X),
    "logistic": lambda X, y, **_: _sklearn("linear_model", "LogisticRegression").fit(X, y).coef_,
    "pca": lambda X, **_: _sklearn("decomposition", "PCA", n_components=2).fit_transform(X),
    "neighbours": lambda X, y, **_: (
        _sklearn("neighbors", "KNeighborsClassifier").fit(X, y).predict_proba(X)
    ),
    "machine": lambda X, y, **_: _sklearn("svm", "SVC").fit(X, y).decision_function(X),
    "forest": lambda X, y, **_: (
        _sklearn("ensemble", "RandomForestClassifier", n_estimators=3, random_state=0)
        .fit(X, y)
        .predict(X)
    ),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_scikit_learn(name):
    pytest.importorskip("sklearn")
    compare(SKLEARN[name])


def test_scikit_learn_splits_and_scores():
    selection = pytest.importorskip("sklearn.model_selection")
    from sklearn import linear_model, metrics

    compare(lambda X, y, **_: selection.train_test_split(X, y, random_state=0))
    model = linear_model.LogisticRegression()
    compare(lambda X, y, **_: selection.cross_val_score(model, X, y))
    compare(lambda X, y, **_: metrics.roc_auc_score(y, X[:, 0]))
    compare(lambda y, **_: metrics.confusion_matrix(y, 1 - y))


# --- scipy ----------------------------------------------------------------------------------------


def _scipy(module: str) -> Any:
    return pytest.importorskip(f"scipy.{module}")


SCIPY = {
    "sparse @ array": lambda v, **_: _scipy("sparse").eye(3).tocsr() @ v,
    "array @ sparse": lambda v, **_: v @ _scipy("sparse").eye(3).tocsr(),
    "sparse solve": lambda v, **_: _scipy("sparse.linalg").spsolve(
        _scipy("sparse").eye(3).tocsc() * 2, v
    ),
    "filter": lambda x, **_: _scipy("ndimage").gaussian_filter(x, 1.0),
    "labels": lambda x, **_: _scipy("ndimage").label(x > 0),
    "tree": lambda X, **_: _scipy("spatial").cKDTree(X).query(X[:2] + 0.1),
    "distances": lambda X, **_: _scipy("spatial.distance").cdist(X[:2], X[:3]),
    "differential equation": lambda v, **_: (
        _scipy("integrate").solve_ivp(lambda t, y: -y, (0, 1), v).y
    ),
    "spline": lambda v, n, **_: _scipy("interpolate").CubicSpline(v + n * 4.0, v)(v * 0.1),
    "factors": lambda X, **_: _scipy("linalg").lu(X[:3]),
    "exponential": lambda X, **_: _scipy("linalg").expm(X[:3]),
    "cosines": lambda v, **_: _scipy("fft").dct(v),
    "spectrum": lambda X, **_: _scipy("signal").welch(X[:, 0], nperseg=8),
    "test": lambda X, **_: tuple(_scipy("stats").ttest_ind(X[:, 0], X[:, 1])),
    "density": lambda X, v, **_: _scipy("stats").gaussian_kde(X[:, 0])(v),
    "ufunc": lambda v, **_: _scipy("special").gamma(v * v),
    "hierarchy": lambda X, **_: _scipy("cluster.hierarchy").linkage(X[:4]),
}


@pytest.mark.parametrize("name", SCIPY)
def test_scipy(name):
    pytest.importorskip("scipy")
    compare(SCIPY[name])


def test_scipy_calls_functions_of_ours():
    optimize = _scipy("optimize")
    found = optimize.root(lambda z: np.array(z) ** 2 - 2.0, np.ones(2))
    numpy.testing.assert_allclose(found.x, numpy.sqrt([2.0, 2.0]), rtol=1e-6)
    minpy.set_default_dtype("float64")
    slope = minpy.grad(lambda z: np.sum((z - 3.0) ** 4))
    done = optimize.minimize(
        lambda z: np.sum((np.array(z) - 3.0) ** 4), np.zeros(2), jac=lambda z: slope(np.array(z))
    )
    numpy.testing.assert_allclose(done.x, [3.0, 3.0], atol=0.05)


# --- matplotlib -----------------------------------------------------------------------------------

MATPLOTLIB = {
    "plot": lambda axes, x, v, **_: axes.plot(v, x.T),
    "scatter": lambda axes, v, n, **_: axes.scatter(v, v, s=v * v, c=n),
    "bars": lambda axes, v, n, **_: axes.bar(n, v),
    "errors": lambda axes, v, **_: axes.errorbar(v, v, yerr=v * v),
    "histogram": lambda axes, v, **_: axes.hist(v),
    "two-dimensional histogram": lambda axes, v, **_: axes.hist2d(v, v),
    "image": lambda axes, x, **_: axes.imshow(x),
    "colours": lambda axes, X, **_: axes.imshow(abs(X[:4, None]) / 4.0),
    "contours": lambda axes, x, **_: axes.contourf(x),
    "mesh": lambda axes, x, **_: axes.pcolormesh(x),
    "arrows": lambda axes, v, **_: axes.quiver(v, v, v, v),
    "boxes": lambda axes, x, **_: axes.boxplot(x),
    "filled": lambda axes, v, **_: axes.fill_between(v, v * 0.0, v),
    "pie": lambda axes, v, **_: axes.pie(v * v),
    "limits": lambda axes, v, **_: axes.set_xlim(v[1], v[0]),
    "ticks": lambda axes, v, **_: axes.set_xticks(v),
    "lines": lambda axes, v, **_: axes.vlines(v, v[0], v[2]),
}


def drawn(name: str, arrays: dict) -> bytes:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(1, 1))
    MATPLOTLIB[name](axes, **arrays)
    file = io.BytesIO()
    figure.savefig(file, format="raw", dpi=40)
    plt.close(figure)
    return file.getvalue()


@pytest.mark.parametrize("name", MATPLOTLIB)
def test_matplotlib_draws_the_same_picture(name):
    pytest.importorskip("matplotlib").use("agg")
    minpy.set_default_dtype("float64")
    ours = {key: np.array(value) for key, value in PLAIN.items()}
    assert drawn(name, ours) == drawn(name, PLAIN)


# --- PyTorch --------------------------------------------------------------------------------------

_DTYPES = [
    *["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64"],
    *["complex64", "complex128"],
]


@pytest.mark.parametrize("dtype", _DTYPES)
def test_torch_shares_memory_both_ways(dtype):
    torch = pytest.importorskip("torch")
    x = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    for there in (torch.from_dlpack(x), torch.from_numpy(numpy.asarray(x)), torch.as_tensor(x)):
        assert str(there.dtype) == f"torch.{dtype}"
        x[0, 0] = 1
        assert there[0, 0].item() == 1
        there[0, 0] = 0
        assert x[0, 0].item() == 0
    for back in (np.from_dlpack(there), np.asarray(there.numpy())):
        assert back.dtype == dtype
        there[1, 1] = 1
        assert back[1, 1].item() == 1
        there[1, 1] = 0


def test_torch_takes_views_and_what_has_no_elements():
    torch = pytest.importorskip("torch")
    x = np.arange(6.0).reshape(2, 3)
    for view in (x.T, x[:, ::2], x[1], x[0, 1], np.zeros((0, 3)), np.array(1.5)):
        assert torch.from_dlpack(view).tolist() == view.tolist()
        assert torch.tensor(view).tolist() == view.tolist()
    assert np.array(torch.ones(2)).tolist() == [1, 1]
    assert np.stack([torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert (x[0] + torch.ones(3)).tolist() == (torch.ones(3) + x[0]).tolist() == [1, 2, 3]
    assert x[0][torch.tensor([2, 0])].tolist() == [2, 0]
    x[0] = torch.ones(3)
    assert x[0].tolist() == [1, 1, 1]


def test_torch_as_a_primitive_with_its_own_derivative():
    torch = pytest.importorskip("torch")
    minpy.set_default_dtype("float64")

    @minpy.primitive
    def softplus(x):
        return torch.nn.functional.softplus(torch.from_numpy(x)).numpy()

    minpy.defvjp(softplus, lambda ans, x: lambda g: g * (1.0 - np.exp(-ans)))
    x = np.array([0.5, -1.0])
    given = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    torch.nn.functional.softplus(given).sum().backward()
    found = minpy.grad(lambda x: np.sum(softplus(x)))(x)
    numpy.testing.assert_allclose(found.asnumpy(), given.grad.numpy(), rtol=1e-12)


def test_what_dlpack_has_no_word_for_is_copied_or_refused():
    for x in (np.arange(3.0)[::-1], np.broadcast_to(np.arange(3.0), (2, 3))):
        assert numpy.from_dlpack(x).tolist() == x.tolist()
        with pytest.raises(BufferError, match=r"pass x\.copy\(\)"):
            x.__dlpack__(copy=False)


# --- Python's own libraries -----------------------------------------------------------------------


def test_buffers():
    x = np.arange(6.0).reshape(2, 3)
    plain = x.asnumpy()
    view = memoryview(x.data)
    assert (view.shape, view.format, view.strides) == (plain.shape, "f", plain.strides)
    assert hashlib.sha256(x.data).digest() == hashlib.sha256(plain).digest()
    assert struct.unpack("6f", x.tobytes()) == (0, 1, 2, 3, 4, 5)
    assert array.array("f", x.tobytes()).tolist() == plain.ravel().tolist()
    assert bytearray(x.data) == bytes(x) == plain.tobytes()
    file = io.BytesIO()
    file.write(x.data)
    assert file.getvalue() == plain.tobytes()
    view[0, 1] = 9.0
    assert x[0, 1] == 9.0
    assert np.frombuffer(bytearray(x.tobytes()), "float32").tolist() == x.ravel().tolist()
    pointer = x.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    pointer[0] = 4.0
    assert x[0, 0] == 4.0


def test_the_array_interface_is_enough_for_another_library():
    class Foreign:
        def __init__(self, x):
            self.__array_interface__ = x.__array_interface__

    x = np.arange(6, dtype="int32").reshape(2, 3)
    there = numpy.asarray(Foreign(x.T))
    assert there.tolist() == x.T.tolist()
    x[0, 1] = 7
    assert there[1, 0] == 7
    assert np.asarray(Foreign(x)).tolist() == x.tolist()


# --- masked arrays --------------------------------------------------------------------------------

_MASKED = numpy.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
MASKED = {
    "array + masked": lambda np, v: v + _MASKED,
    "masked + array": lambda np, v: _MASKED + v,
    "array < masked": lambda np, v: v < _MASKED,
    "array ** masked": lambda np, v: abs(v) ** _MASKED,
    "a ufunc": lambda np, v: np.multiply(v, _MASKED),
    "a ufunc of NumPy's": lambda np, v: numpy.multiply(v, _MASKED),
    "a sum": lambda np, v: np.sum(_MASKED),
    "a mean": lambda np, v: np.mean(_MASKED, axis=0),
    "a deviation": lambda np, v: np.std(_MASKED),
    "a function of ma": lambda np, v: np.ma.concatenate([v, _MASKED]),
    "clipped": lambda np, v: np.clip(_MASKED, 0.0, 2.0),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks_are_kept(name):
    minpy.set_default_dtype("float64")
    expected = MASKED[name](numpy, numpy.array(PLAIN["v"]))
    found = MASKED[name](np, np.array(PLAIN["v"]))
    assert type(found) is type(expected)
    assert numpy.ma.getmaskarray(found).tolist() == numpy.ma.getmaskarray(expected).tolist()
    assert numpy.ma.filled(found, 0).tolist() == numpy.ma.filled(expected, 0).tolist()


def test_a_derivative_through_a_masked_array_is_refused():
    for function in (lambda v: v * _MASKED, lambda v: _MASKED * v):
        with pytest.raises(DifferentiationError):
            minpy.grad(lambda v, function=function: np.sum(function(v)))(np.ones(3))
    for function in (np.multiply, numpy.multiply):
        with pytest.raises((DifferentiationError, NoDerivativeError)):
            minpy.grad(lambda v, function=function: np.sum(function(v, _MASKED)))(np.ones(3))
