"""Writing in place: what NumPy would leave in every array, and the gradient through all of it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy
import minpy.numpy as np
from minpy.array import is_captured
from minpy.errors import DifferentiationError

# --- random programs ------------------------------------------------------------------------------

_ARRAYS = 3  # x, and two others of the same shape
_SHAPE = (3, 4)

# Views of a 3x4 array: each has 2 axes or 1.
_VIEWS: list[Any] = [
    lambda a: a[1],
    lambda a: a[:, 2],
    lambda a: a[::2, 1:3],
    lambda a: a.T,
    lambda a: a.reshape(2, 6),
    lambda a: a.ravel(),
    lambda a: a[::-1],
    lambda a: a[1:][:, ::-2],
    lambda a: a.T[1:3].T,
    lambda a: a.reshape(2, 2, 3)[1],
    lambda a: a[None, ..., 1],
    lambda a: a.swapaxes(0, 1)[2],
    lambda a: a,
]

_MASK = numpy.arange(12).reshape(_SHAPE) % 3 == 0
_ROWS = numpy.array([0, 2, 2, 1])
_COLUMNS = numpy.array([1, 3, 3, 0])


def _write_slice(view: Any, value: Any, np: Any) -> None:
    view[...] = value.ravel()[: view.size].reshape(view.shape) if value.size >= view.size else 1.5


def _write_constant(view: Any, value: Any, np: Any) -> None:
    view[0] = 0.5


def _write_broadcast(view: Any, value: Any, np: Any) -> None:
    view[...] = value.ravel()[1]


def _add(view: Any, value: Any, np: Any) -> None:
    view += np.sin(value.ravel()[2])


def _multiply(view: Any, value: Any, np: Any) -> None:
    view *= 1.0 + 0.1 * value.ravel()[0]


def _write_itself(view: Any, value: Any, np: Any) -> None:
    view[...] = view[::-1] * 0.9


def _write_mask(view: Any, value: Any, np: Any) -> None:
    mask = _MASK.ravel()[: view.size].reshape(view.shape)
    view[mask] = value.ravel()[3] * 2.0


def _add_mask(view: Any, value: Any, np: Any) -> None:
    mask = _MASK.ravel()[: view.size].reshape(view.shape)
    view[mask] += value.ravel()[3]


def _write_twice(view: Any, value: Any, np: Any) -> None:
    # The last of the values for one place wins.
    places = numpy.array([0, 1, 0, 1]) % view.shape[0]
    source = value.ravel()[:4].reshape((4,) + (1,) * (view.ndim - 1))
    view[places] = source * numpy.ones((4, *view.shape[1:]))


_WRITES = [
    _write_slice,
    _write_constant,
    _write_broadcast,
    _add,
    _multiply,
    _write_itself,
    _write_mask,
    _add_mask,
    _write_twice,
]

steps = st.lists(
    st.tuples(
        st.integers(0, _ARRAYS - 1),  # which array to write to
        st.integers(0, len(_VIEWS) - 1),  # through which view
        st.integers(0, len(_WRITES) - 1),  # how
        st.integers(0, _ARRAYS - 1),  # from which array
        st.booleans(),  # whether through a view made at the start
    ),
    min_size=1,
    max_size=6,
)


def run(program: list[tuple], x: Any, np: Any) -> list[Any]:
    """Run a program; return all arrays and all views that it wrote through."""
    one = np.array(numpy.linspace(-0.7, 0.9, 12).reshape(_SHAPE))
    arrays = [x * 1.0, one, x * one]
    early = [_VIEWS[v](arrays[t]) for t, v, *_ in program]
    seen = [arrays[0] * arrays[1]]  # what was computed before the writes must not change
    for (target, view, write, source, use_early), kept in zip(program, early, strict=True):
        through = kept if use_early else _VIEWS[view](arrays[target])
        _WRITES[write](through, arrays[source], np)
        seen.append(arrays[target] * arrays[source])
    return [*arrays, *early, *seen]


@pytest.fixture(scope="module", autouse=True)
def _double():
    minpy.set_default_dtype("float64")
    yield
    minpy.set_default_dtype("float32")


_X = numpy.linspace(0.3, 1.4, 12).reshape(_SHAPE)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_writes_leave_what_numpy_leaves(program):
    expected = run(program, _X.copy(), numpy)
    for found, wanted in zip(run(program, np.array(_X), np), expected, strict=True):
        numpy.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_writes_under_differentiation_leave_what_numpy_leaves(program):
    expected = run(program, _X.copy(), numpy)
    _, found = minpy.make_vjp(lambda x: run(program, x, np))(np.array(_X))
    for f, wanted in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(f.asnumpy(), wanted, rtol=1e-12)
    found, _ = minpy.make_jvp(lambda x: run(program, x, np))(np.array(_X))(np.ones(_SHAPE))
    for f, wanted in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(f.asnumpy(), wanted, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_gradients_through_writes_are_those_of_finite_differences(program):
    minpy.check_grads(lambda x: run(program, x, np), order=2, tol=1e-4, rtol=1e-4)(_X)


# --- what a write must not change -----------------------------------------------------------------


def test_a_constant_written_after_its_use_keeps_the_gradient():
    def f(x):
        c = np.ones(3)
        y = x * c
        c[0] = 5.0
        c += 1.0
        return np.sum(y) + np.sum(c * 0.0)

    assert minpy.grad(f)(np.ones(3)).tolist() == [1, 1, 1]


def test_a_captured_closure_written_after_its_use_keeps_the_gradient():
    state = np.ones(3)

    def f(x):
        y = x * state
        state[...] = 7.0
        return np.sum(y)

    assert minpy.grad(f)(np.ones(3)).tolist() == [1, 1, 1]
    assert state.tolist() == [7, 7, 7]


def test_a_view_of_a_constant_written_after_its_use_keeps_the_gradient():
    def f(x):
        c = np.arange(4.0)
        tail = c[1:]
        y = x * tail
        c[...] = 100.0
        assert tail.tolist() == [100, 100, 100]
        return np.sum(y)

    assert minpy.grad(f)(np.ones(3)).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__setitem__(0, 9.0),
        lambda x: x.__setitem__(Ellipsis, 0.0),
        lambda x: x.__imul__(3.0),
        lambda x: x.fill(0.0),
        lambda x: x.T.__iadd__(1.0),
        lambda x: x.sort(),
        lambda x: np.put(x, [0], 4.0),
        lambda x: np.copyto(x, 2.0),
        lambda x: np.add(x, 1.0, out=x),
        lambda x: x.reshape(3, 1)[1].__setitem__(0, 8.0),
        lambda x: x.real.__setitem__(0, 5.0),
        lambda x: setattr(x, "flat", 1.0),
    ],
)
def test_a_write_between_make_vjp_and_vjp_does_not_change_the_gradient(write):
    for function, slope in ((lambda x: x * x, [6.0, 4.0, 2.0]), (np.exp, numpy.exp([3, 2, 1]))):
        x = np.array([3.0, 2.0, 1.0])
        vjp, value = minpy.make_vjp(function)(x)
        write(x)
        write(value)
        numpy.testing.assert_allclose(vjp(np.ones(3)).asnumpy(), slope)
        assert x.tolist() != [3, 2, 1]


def test_the_value_and_the_arguments_have_memory_of_their_own():
    x = np.ones(3)
    for function in (lambda v: v, lambda v: v[:2], lambda v: v.T, lambda v: np.broadcast_to(v, 3)):
        _, value = minpy.make_vjp(function)(x)
        value += 5.0
        (value, _) = minpy.make_jvp(function)(x)(np.ones(3))
        value += 5.0
        assert x.tolist() == [1, 1, 1]


def test_gradients_have_memory_of_their_own():
    x, y = np.ones(3), np.ones(3)
    for function in (lambda a, b: np.sum(a + b), lambda a, b: np.sum(a) + np.sum(b.reshape(3, 1))):
        g, h = minpy.grad(function, (0, 1))(x, y)
        g *= 2.0
        h += 10.0
        assert (g.tolist(), h.tolist()) == ([2, 2, 2], [11, 11, 11])
    given = np.ones(3)
    vjp, _ = minpy.make_vjp(lambda v: v)(x)
    g = vjp(given)
    g *= 4.0
    assert given.tolist() == [1, 1, 1]
    given = np.ones(3)
    _, tangent = minpy.make_jvp(lambda v: v.T)(x)(given)
    tangent *= 4.0
    assert given.tolist() == [1, 1, 1]


def test_writing_to_an_argument_stays_inside_the_function():
    def f(x):
        x[0] = 0.0
        x *= 2.0
        return np.sum(x)

    x = np.ones(3)
    assert minpy.grad(f)(x).tolist() == [0, 2, 2]
    assert x.tolist() == [1, 1, 1]


def test_an_index_array_written_after_its_use_keeps_the_gradient():
    for make in (np.array, numpy.array):

        def f(x, make=make):
            at = make([0, 1])
            y = x[at]
            z = x * 1.0
            z[at] = 5.0
            at += 1
            return np.sum(y) + np.sum(z)

        assert minpy.grad(f)(np.ones(3)).tolist() == [1, 1, 1]


# --- nested derivatives ---------------------------------------------------------------------------


def test_a_write_in_a_derivative_of_a_derivative():
    def inner(y, x):
        y = y * 1.0
        y[0] = y[1] * x[0]
        y += x
        return np.sum(y * y)

    def outer(x):
        return np.sum(minpy.grad(inner)(x * 2.0, x) * x)

    minpy.check_grads(outer, order=2)(numpy.array([0.5, -1.2, 0.8]))


def test_a_closure_of_an_outer_level_written_in_an_inner_one():
    def outer(x):
        shared = x * x

        def inner(y):
            z = np.sum(y * shared)
            shared[0] = y[0] * 3.0
            return z + np.sum(shared)

        g = minpy.grad(inner)(x * 1.0)
        return np.sum(g * g) + np.sum(shared)

    minpy.check_grads(outer, order=2)(numpy.array([0.5, -1.2, 0.8]))


def test_a_constant_of_two_tapes_is_kept_for_both():
    c = np.ones(3)
    outer_vjp, _ = minpy.make_vjp(lambda x: x * c)(np.ones(3))
    minpy.grad(lambda x: np.sum(x * c))(np.ones(3))  # a later tape, already gone
    c[...] = 7.0
    assert outer_vjp(np.ones(3)).tolist() == [1, 1, 1]


def test_forward_over_reverse_over_writes():
    def f(x):
        table = np.zeros((3, 3))
        for i in range(3):
            table[i] = x * x[i]
            table[:, i] += np.sin(x)
        return np.sum(table**2)

    x = numpy.array([0.5, -1.2, 0.8])
    minpy.check_grads(f, order=2)(x)
    hessian = minpy.hessian(f)(np.array(x)).asnumpy()
    numpy.testing.assert_allclose(hessian, hessian.T, rtol=1e-10)
    product = minpy.autograd.hessian_vector_product(f)(np.array(x), np.ones(3)).asnumpy()
    numpy.testing.assert_allclose(product, hessian.sum(1), rtol=1e-10)


def test_a_recurrence_written_into_an_array():
    def f(x):
        series = np.zeros(20)
        series[0] = x
        for i in range(1, 20):
            series[i] = np.sin(series[i - 1]) + x
        return series[-1]

    def without(x):
        value = x
        for _ in range(19):
            value = np.sin(value) + x
        return value

    assert float(minpy.grad(f)(0.3)) == pytest.approx(float(minpy.grad(without)(0.3)), rel=1e-12)


# --- indices --------------------------------------------------------------------------------------


def test_the_last_write_to_a_place_wins():
    def f(v):
        x = np.zeros(3)
        x[np.array([0, 2, 0, 0])] = v
        return np.sum(x * np.array([1.0, 10.0, 100.0]))

    assert minpy.grad(f)(np.ones(4)).tolist() == [0, 100, 0, 1]


def test_augmented_assignment_with_a_repeated_index_adds_once_as_in_numpy():
    def f(np, v):
        x = np.ones(3)
        x[np.array([0, 0, 1])] += v
        return x

    v = numpy.array([1.0, 2.0, 3.0])
    _, found = minpy.make_vjp(lambda v: f(np, v))(np.array(v))
    assert found.tolist() == f(numpy, v).tolist() == [3, 4, 1]
    g = minpy.grad(lambda v: np.sum(f(np, v)))(np.array(v))
    assert g.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        (1, 2),
        slice(1, None),
        (slice(None), slice(None, None, -2)),
        (Ellipsis, 1),
        (None, 1),
        numpy.array([2, 0]),
        (numpy.array([0, 2]), numpy.array([1, 1])),
        (slice(None), numpy.array([3, 0])),
        (numpy.array([[0], [2]]), numpy.array([1, 3])),
        numpy.array([True, False, True]),
        _MASK,
        (numpy.array([True, False, True]), 2),
        numpy.ix_([0, 2], [1, 3]),
        [0, 2],
        [True, False, True],
        (0, [1, 2]),
        numpy.zeros(3, bool),
        slice(5, 9),
        [],
    ],
    ids=str,
)
def test_assignment_by_any_index(index):
    value = _X[index] * 2.0 + 1.0

    def f(x, v):
        y = x * 1.0
        y[index] = v
        y[index] += v * x[index]
        return y

    expected = _X.copy()
    expected[index] = value
    expected[index] += value * _X[index]
    numpy.testing.assert_allclose(f(np.array(_X), np.array(value)).asnumpy(), expected)
    if value.size:
        minpy.check_grads(f, order=2)(_X, value)


def raised(call: Any) -> type[Exception] | None:
    try:
        call()
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    "write",
    [
        lambda y: y.__setitem__(5, 1.0),
        lambda y: y.__setitem__((0, 0), 1.0),
        lambda y: y.__setitem__(slice(2), numpy.ones(3)),
        lambda y: y.__setitem__([True, False], 1.0),
        lambda y: y.__setitem__(0.5, 1.0),
        lambda y: y.__iadd__(numpy.ones((2, 3))),
        lambda y: y.__iadd__(numpy.array([1j, 0, 0])),
    ],
)
def test_errors_are_numpys_and_leave_the_array_alone(write):
    wanted = raised(lambda: write(numpy.ones(3)))
    assert wanted is not None

    def f(x):
        y = x * 1.0
        error = raised(lambda: write(y))
        assert issubclass(wanted, error) or issubclass(error, wanted)
        assert y.tolist() == [1, 1, 1]
        return np.sum(y)

    f(np.ones(3))
    assert minpy.grad(f)(np.ones(3)).tolist() == [1, 1, 1]


def test_read_only_memory_is_not_written_to():
    def write(x):
        np.broadcast_to(x, (2, 3))[0] = 1.0

    locked = numpy.ones(3)
    locked.flags.writeable = False
    for call in (
        lambda: write(np.ones(3)),
        lambda: minpy.grad(write)(np.ones(3)),
        lambda: np.asarray(locked).fill(1.0),
    ):
        with pytest.raises(ValueError, match="read-only"):
            call()


def test_integers_take_no_gradient():
    def f(x):
        counts = np.zeros(3, dtype="int64")
        counts[0] = x[0] * 2.0
        counts += 1
        assert counts.tolist() == [4, 1, 1]
        return np.sum(x * counts)

    assert minpy.grad(f)(np.array([1.5, 1.0, 1.0])).tolist() == [4, 1, 1]
    with pytest.raises(TypeError, match="Cannot cast"):
        np.zeros(2, dtype="int64").__iadd__(0.5)


def test_dtypes_and_contexts_stay_what_they_were():
    def f(x):
        single = np.zeros(3, dtype="float32")
        single[1:] = x[1:]
        single += x
        assert single.dtype == numpy.float32
        return np.sum(single)

    g = minpy.grad(f)(np.ones(3))
    assert g.dtype == numpy.float64
    assert g.tolist() == [1, 2, 2]


# --- functions that write -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("put", lambda v: ([0, -1, 5], v[:3])),
        ("put", lambda v: (numpy.array([[1], [2]]), v[:1])),
        ("putmask", lambda v: (_MASK, v)),
        ("putmask", lambda v: (_MASK, v[:5])),
        ("place", lambda v: (_MASK, v[:2])),
        ("copyto", lambda v: (v[:4],)),
        ("fill_diagonal", lambda v: (v[:3],)),
        ("fill_diagonal", lambda v: (v[0],)),
        ("put_along_axis", lambda v: (numpy.array([[0], [3], [1]]), v[:3].reshape(3, 1), 1)),
    ],
)
def test_functions_that_write_do_as_numpys_and_carry_gradients(name, arguments):
    values = numpy.linspace(2.0, 3.0, 12)
    expected = _X.copy()
    getattr(numpy, name)(expected, *arguments(values))
    found = np.array(_X)
    assert getattr(np, name)(found, *arguments(np.array(values))) is None
    numpy.testing.assert_array_equal(found.asnumpy(), expected)

    def f(x, v):
        y = x * 1.0
        getattr(np, name)(y, *arguments(v))
        return y * y

    minpy.check_grads(f, order=2)(_X, values)
    _, value = minpy.make_vjp(lambda x: f(x, np.array(values)))(np.array(_X))
    numpy.testing.assert_allclose(value.asnumpy(), expected**2)


def test_functions_that_write_refuse_a_numpy_target_for_tracked_values():
    with pytest.raises(DifferentiationError, match="copyto"):
        minpy.grad(lambda x: np.copyto(numpy.zeros(3), x))(np.ones(3))


def test_out_takes_gradients():
    def f(x):
        out = np.ones(3)
        np.multiply(x, x, out=out)
        np.sum(x * np.ones((2, 3)), axis=0, out=out[:])
        np.concatenate([x[:1], x[1:]], out=out)
        np.add(out, x, out=out, where=np.array([True, False, True]))
        np.matmul(np.eye(3), out, out=out)
        np.clip(out, -10.0, 10.0, out)
        return np.sum(out * out)

    minpy.check_grads(f, order=2)(numpy.array([0.5, -1.2, 0.8]))


@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 4), (1, 1), (4,), (1, 2, 4), (2, 1)])
def test_values_with_leading_axes_of_length_one_get_their_gradient(shape):
    """NumPy writes them to parts of fewer axes."""
    minpy.set_default_dtype("float64")

    def written(v, x):
        x = x * 1
        x[[0, 1]] = v
        if v.size in (1, 4) and v.shape[-1] == 4:
            x[2] = v
        return x * numpy.arange(12.0).reshape(3, 4)

    x = numpy.ones((3, 4))
    v = numpy.arange(1.0, 1.0 + numpy.prod(shape)).reshape(shape)
    assert written(np.array(v), np.array(x)).tolist() == written(v, x).tolist()
    minpy.check_grads(written, order=2)(v, x)


def test_a_view_in_fortran_order_carries_gradients():
    minpy.set_default_dtype("float64")

    def written(x, v):
        x = x.T * 1  # in Fortran order, as its tangents and gradients need not be
        flat = x.ravel(order="F")
        flat[1:4] = v * flat[0]
        return x * x

    x, v = numpy.full((3, 4), 3.0), numpy.array([0.5, -1.0, 2.0])
    assert written(np.array(x), np.array(v)).tolist() == written(x, v).tolist()
    minpy.check_grads(written, order=2)(x, v)


def test_memory_that_two_tapes_needed_is_free_when_both_are_gone():
    x = np.ones(3)
    first, _ = minpy.make_vjp(lambda a: a * a)(x)
    second, _ = minpy.make_vjp(lambda a: a * a)(x)
    assert is_captured(x)
    del first
    gc.collect()
    assert is_captured(x)
    del second
    gc.collect()
    assert not is_captured(x)


def test_flat_reads_and_writes():
    x = np.arange(6.0).reshape(2, 3).T
    x.flat[1] = 10.0
    x.flat[[4, 5]] = [7.0, 8.0]
    plain = numpy.arange(6.0).reshape(2, 3).T
    plain.flat[1] = 10.0
    plain.flat[[4, 5]] = [7.0, 8.0]
    assert x.tolist() == plain.tolist()
    assert [float(v) for v in x.flat] == plain.ravel().tolist()
    assert len(x.flat) == 6 and x.flat[1] == 10.0


def test_real_and_imaginary_parts_are_views():
    z = np.array([1 + 2j, 3 - 1j])
    z.real[0] = 5.0
    z.imag = 7.0
    assert z.tolist() == [5 + 7j, 3 + 7j]

    def f(a, b):
        z = np.zeros(2, dtype="complex128")
        z.real = a * b
        z.imag[...] = a + b
        return np.real(z * np.conj(z)) + np.imag(z * z)

    minpy.check_grads(f, order=2)(numpy.array([0.5, -1.2]), numpy.array([0.8, 0.3]))


# --- memory ---------------------------------------------------------------------------------------


def test_memory_is_free_to_write_to_again_when_the_tape_is_gone():
    c = np.ones(3)
    memory = c._np
    minpy.grad(lambda x: np.sum(x * c))(np.ones(3))
    assert not is_captured(c)
    c += 1.0
    assert c._np is memory
    vjp, _ = minpy.make_vjp(lambda x: x * c)(np.ones(3))
    assert is_captured(c)
    c += 1.0
    assert c._np is not memory
    assert vjp(np.ones(3)).tolist() == [2, 2, 2]


def test_a_write_frees_the_old_value_when_nobody_needs_it():
    x = np.ones(3)
    vjp, _ = minpy.make_vjp(lambda v: v * v)(x)
    old = weakref.ref(x._np)
    x[0] = 5.0
    assert old() is not None
    del vjp
    gc.collect()
    assert old() is None


def test_what_cannot_be_right_is_an_error_that_names_the_operation():
    x = np.ones(3)
    cases = [
        ("sin", lambda x: np.sin(x, out=numpy.zeros(3))),
        ("cumsum", lambda x: np.cumsum(x, out=numpy.zeros(3))),
        ("log", lambda x: np.log(x, where=x > 0, out=numpy.zeros(3))),
        ("modf", lambda x: np.modf(x, out=(numpy.zeros(3), None))[0]),
        ("numpy.add", lambda x: numpy.add(x, 1.0, out=numpy.zeros(3))),
        ("put", lambda x: np.put(numpy.zeros(3), [0], x[0])),
        ("copyto", lambda x: np.copyto(numpy.zeros(3), x)),
        ("multiply.at", lambda x: np.multiply.at(numpy.zeros(3), [0, 0], x[1])),
        ("hypot.reduce", lambda x: np.hypot.reduce(x, out=numpy.zeros(()))),
    ]
    for name, write in cases:
        with pytest.raises(TypeError, match=name.replace(".", r"\.")):
            minpy.grad(lambda x, write=write: np.sum(x) if write(x) is None else 0.0 * x[0])(x)


@pytest.mark.parametrize(
    "expression",
    [
        "m.ascontiguousarray(y.T)",
        "m.ascontiguousarray(y)",
        "m.asfortranarray(y)",
        "m.asfortranarray(y.T)",
        "m.asarray(y.T, order='C')",
        "m.array(y, copy=False, order='F')",
        "m.require(y, requirements='F')",
        "m.require(y)",
        "m.einsum('ij->ji', y)",
        "m.einsum('ii->i', y[:, :3])",
        "y.conj()",
        "y.conjugate()",
    ],
)
def test_what_shares_memory_in_numpy_does_so_under_differentiation(expression):
    """Elements that are written to the result are written to `y`, or aren't, as in NumPy."""

    def f(x, m):
        y = m.sin(x) * 1.5
        made = eval(expression, {"m": m, "y": y})
        made[...] = made * made + 1
        return m.sum(y * y) + m.sum(made * 0.5)

    x = numpy.random.default_rng(0).normal(size=(3, 4))
    assert float(f(np.array(x), np)) == f(x, numpy)
    value, gradient = minpy.value_and_grad(lambda x: f(x, np))(x)
    assert float(value) == pytest.approx(f(x, numpy), rel=1e-14)
    step = numpy.random.default_rng(1).normal(size=(3, 4))
    slope = (f(x + 1e-6 * step, numpy) - f(x - 1e-6 * step, numpy)) / 2e-6
    assert float(np.sum(gradient * step)) == pytest.approx(slope, rel=1e-6)
    tangent = minpy.autograd.make_jvp(lambda x: f(x, np))(x)(step)[1]
    assert float(tangent) == pytest.approx(slope, rel=1e-6)
    compiled = minpy.jit(lambda x: f(x, np))
    assert float(compiled(np.array(x))) == pytest.approx(f(x, numpy), rel=1e-12)
