"""Differential operators: values, structures, nesting, and errors that say what to do."""

from __future__ import annotations

import collections
import threading
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import autograd
from minpy.errors import DifferentiationError, MinpyError, NoDerivativeError, PolicyError


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def close(found, expected, rtol=1e-10):
    numpy.testing.assert_allclose(np.asarray(found).asnumpy(), expected, rtol, atol=1e-12)


X = numpy.array([0.5, -1.2, 0.8])


# --- each operator against a closed form ----------------------------------------------------------


def test_grad_and_its_relatives():
    def f(x):
        return np.sum(np.sin(x) * x)

    value, slope = numpy.sum(numpy.sin(X) * X), numpy.cos(X) * X + numpy.sin(X)
    close(minpy.grad(f)(X), slope)
    v, g = minpy.value_and_grad(f)(X)
    close(v, value)
    close(g, slope)
    g, v = minpy.grad_and_loss(f)(X)
    close(v, value)
    close(g, slope)
    g, aux = autograd.grad_and_aux(lambda x: (f(x), {"x": x * 2.0}))(X)
    close(g, slope)
    close(aux["x"], X * 2)


def test_elementwise_grad_and_deriv():
    close(minpy.elementwise_grad(lambda x: x**3)(X), 3 * X**2)
    close(minpy.elementwise_grad(minpy.elementwise_grad(np.tanh))(X), _tanh_second(X))
    close(autograd.deriv(autograd.deriv(np.sin))(0.7), -numpy.sin(0.7))


def _tanh_second(x):
    t = numpy.tanh(x)
    return -2 * t * (1 - t**2)


def test_jacobian_and_hessian():
    a = numpy.arange(6.0).reshape(2, 3)
    close(minpy.jacobian(lambda x: np.dot(a, x * x))(X), a * 2 * X)
    close(minpy.jacobian(lambda x: np.sum(x * x))(X), 2 * X)
    outer = minpy.jacobian(lambda x: np.outer(x, x))(X)
    assert outer.shape == (3, 3, 3)
    expected = numpy.einsum("ik,j->ijk", numpy.eye(3), X) + numpy.einsum(
        "jk,i->ijk", numpy.eye(3), X
    )
    close(outer, expected)
    close(minpy.hessian(lambda x: np.sum(x) ** 3)(X), 6 * X.sum() * numpy.ones((3, 3)))
    both = minpy.jacobian(lambda p: p["a"] * p["b"])({"a": X, "b": 2.0})
    close(both["a"], 2 * numpy.eye(3))
    close(both["b"], X)
    assert minpy.jacobian(lambda x: x[:0])(X).shape == (0, 3)


def test_products_with_jacobians_and_hessians():
    a = numpy.arange(6.0).reshape(2, 3)
    v, g = numpy.array([1.0, -1.0, 2.0]), numpy.array([3.0, -2.0])

    def f(x):
        return np.dot(a, np.sin(x))

    j = a * numpy.cos(X)
    close(autograd.vector_jacobian_product(f)(X, g), g @ j)
    close(autograd.jacobian_vector_product(f)(X, v), j @ v)
    vjp, value = minpy.make_vjp(f)(X)
    close(value, a @ numpy.sin(X))
    close(vjp(g), g @ j)
    close(vjp(2 * g), 2 * g @ j)  # as often as one likes
    value, tangent = minpy.make_jvp(f)(X)(v)
    close(value, a @ numpy.sin(X))
    close(tangent, j @ v)

    def loss(x, y):
        return np.sum(np.exp(x) * y)

    close(autograd.hessian_vector_product(loss)(X, 2.0, v), 2 * numpy.exp(X) * v)
    close(autograd.hessian_vector_product(loss, 1)(X, 2.0, 1.0), 0.0)


# --- arguments ------------------------------------------------------------------------------------


def test_argnum_picks_arguments():
    def f(a, b, c=3.0):
        return a * b**2 * c

    close(minpy.grad(f)(2.0, 5.0), 75.0)
    close(minpy.grad(f, 1)(2.0, 5.0), 60.0)
    close(minpy.grad(f, -1)(2.0, 5.0), 60.0)
    pair = minpy.grad(f, (1, 0))(2.0, 5.0, c=1.0)
    assert isinstance(pair, tuple)
    close(pair[0], 20.0)
    close(pair[1], 25.0)
    assert isinstance(minpy.grad(f, [0])(2.0, 5.0), tuple)
    with pytest.raises(TypeError, match="grad: no argument 4, the function was given 2"):
        minpy.grad(f, 4)(1.0, 2.0)


Point = collections.namedtuple("Point", "x y")


def test_containers_keep_their_structure():
    tree = {
        "list": [1.0, np.array([2.0, 3.0])],
        "tuple": (4.0, {"deep": np.ones((2, 2))}),
        "named": Point(5.0, 6.0),
        "ordered": collections.OrderedDict(b=7.0, a=8.0),
        "empty": [],
    }

    def f(t):
        return (
            t["list"][0] * np.sum(t["list"][1])
            + t["tuple"][0] * np.sum(t["tuple"][1]["deep"])
            + t["named"].x * t["named"].y
            + t["ordered"]["a"] * t["ordered"]["b"]
        )

    g = minpy.grad(f)(tree)
    close(g["list"][0], 5.0)
    close(g["list"][1], [1.0, 1.0])
    close(g["tuple"][1]["deep"], 4.0 * numpy.ones((2, 2)))
    assert type(g["named"]) is Point
    close(g["named"].x, 6.0)
    assert type(g["ordered"]) is collections.OrderedDict and list(g["ordered"]) == ["b", "a"]
    assert g["empty"] == []
    minpy.check_grads(f, order=2)(tree)
    vjp, value = minpy.make_vjp(lambda x: {"a": x * 2.0, "b": (x, [x * x])})(X)
    close(value["b"][1][0], X * X)
    close(vjp({"a": X, "b": (X, [X])}), 3 * X + 2 * X * X)


def test_a_registered_container_is_looked_into():
    class Layer:
        def __init__(self, w, b):
            self.w, self.b = w, b

    autograd.register_container(Layer, lambda v: [v.w, v.b], lambda v, parts: Layer(*parts))
    g = minpy.grad(lambda m: np.sum(m.w * 2.0) + m.b**2)(Layer(X, 3.0))
    assert type(g) is Layer
    close(g.w, [2, 2, 2])
    close(g.b, 6.0)


def test_numpy_arrays_floats_and_numpy_scalars_are_differentiated():
    close(minpy.grad(lambda x: np.sum(x * x))(X), 2 * X)
    close(minpy.grad(lambda x: x * x)(3.0), 6.0)
    close(minpy.grad(lambda x: x * x)(numpy.float32(3.0)), 6.0)
    assert minpy.grad(lambda x: x * x)(numpy.float32(3.0)).dtype == numpy.float32


def test_an_argument_that_is_a_stale_view_is_differentiated_at_its_value():
    base = np.array([1.0, 2.0, 3.0])
    view = base[1:]
    vjp, _ = minpy.make_vjp(lambda x: x * x)(base)
    base[...] = 5.0  # rebinds: the view has to catch up
    close(minpy.grad(lambda v: np.sum(v * v))(view), [10.0, 10.0])
    close(vjp(np.ones(3)), [2.0, 4.0, 6.0])


def test_operators_name_what_they_make():
    def cost(x):
        """Say what it costs."""
        return x

    for operator in (minpy.grad, minpy.value_and_grad, minpy.jacobian, minpy.elementwise_grad):
        derived = operator(cost)
        assert derived.__name__ == f"{operator.__name__}_of_cost"
        assert "Say what it costs." in derived.__doc__


# --- control flow and nesting ---------------------------------------------------------------------


def test_python_control_flow():
    def f(x, n):
        total = 0.0
        for i in range(n):
            if x[i] > 0:
                total = total + x[i] ** 2
            else:
                while total < 5.0:
                    total = total * 2.0 + x[i] ** 4
        return total

    minpy.check_grads(lambda x: f(x, 3), order=2)(X)


def recursive(x, n):
    return x if n == 0 else np.sin(recursive(x, n - 1)) * x


def test_recursion():
    minpy.check_grads(lambda x: recursive(x, 6), order=2)(0.8)


def test_perturbations_are_not_confused():
    # Siskind and Pearlmutter (2005): d/dx x · (d/dy (x + y)) is 1, not 2.
    grad, deriv = minpy.grad, autograd.deriv
    for outer in (grad, deriv):
        for inner in (grad, deriv):
            close(outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(1.0), 1.0)
            twice = outer(lambda x, inner=inner: x * inner(lambda y: x * y * y)(2.0))
            close(twice(3.0), 2 * 3.0 * 2 * 2.0)


@pytest.mark.parametrize("modes", [("r", "r", "r"), ("f", "r", "f"), ("r", "f", "r"), ("f",) * 4])
def test_derivatives_of_any_order_in_any_mixture(modes):
    def f(x):
        return np.sin(x) * np.exp(2.0 * x)

    derived = f
    for mode in modes:
        derived = minpy.grad(derived) if mode == "r" else autograd.deriv(derived)
    z = (2 + 1j) ** len(modes) * numpy.exp((2 + 1j) * 0.3)
    close(derived(0.3), z.imag)


def test_a_derivative_inside_a_loss():
    def f(w, x):
        def energy(x):
            return np.sum(np.tanh(np.dot(w, x)))

        force = -minpy.grad(energy)(x)
        return np.sum(force * force)

    w = numpy.linspace(-1, 1, 6).reshape(2, 3)
    minpy.check_grads(f, order=2)(w, X)


def test_threads_differentiate_independently():
    results = {}

    def work(k):
        def f(x):
            total = 0.0
            for _ in range(50):
                total = total + np.sum(np.sin(x * k))
            return total

        results[k] = minpy.hessian(f)(np.array(X)).asnumpy()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, found in results.items():
        close(found, numpy.diag(-50 * k * k * numpy.sin(X * k)))


def test_a_trace_ends_with_its_function_however_that_ends():
    leaked = []

    def fails(x):
        leaked.append(x * 2.0)
        raise KeyError

    for operator in (minpy.grad, minpy.make_vjp, lambda f: lambda x: minpy.make_jvp(f)(x)(X)):
        with pytest.raises(KeyError):
            operator(fails)(X)
    y = leaked[0] + 1.0
    close(y, 2 * X + 1)
    assert numpy.asarray(y).tolist() == (2 * X + 1).tolist()
    close(minpy.grad(lambda x: np.sum(x * leaked[1]))(X), 2 * X)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: minpy.grad(lambda x: np.sum(x))(np.arange(3)),
            DifferentiationError,
            r"grad: argument 0 has dtype int64.*astype\('float32'\)",
        ),
        (lambda: minpy.grad(lambda x: x)(3), DifferentiationError, r"integer 3.*write 3\.0"),
        (
            lambda: minpy.grad(lambda p: p["w"])({"w": [1.0, numpy.array([True])]}),
            DifferentiationError,
            r"argument 0\['w'\]\[1\] has dtype bool",
        ),
        (lambda: minpy.grad(lambda x: x)("x"), DifferentiationError, "is of type str.*register"),
        (
            lambda: minpy.grad(lambda x: x * 2.0)(X),
            DifferentiationError,
            r"must return one number, got shape \(3,\); sum it",
        ),
        (
            lambda: minpy.grad(lambda x: (np.sum(x), 1.0))(X),
            DifferentiationError,
            "got 2 values; grad_and_aux",
        ),
        (
            lambda: minpy.grad(lambda x: np.sum(x * 1j))(X),
            DifferentiationError,
            "must return a real number, got complex128",
        ),
        (
            lambda: minpy.elementwise_grad(lambda x: x * 1j)(X),
            DifferentiationError,
            "must return real numbers",
        ),
        (
            lambda: minpy.autograd.grad_named(lambda a, *, b: a, "b"),
            ValueError,
            "no positional argument 'b', it has a",
        ),
        (
            lambda: minpy.make_vjp(lambda x: x)(X)[0](numpy.ones(2)),
            ValueError,
            r"expected gradients of shape \[\(3,\)\], got \[\(2,\)\]",
        ),
        (
            lambda: minpy.make_jvp(lambda x: x)(X)(numpy.ones(2)),
            ValueError,
            r"expected tangents of shape \[\(3,\)\]",
        ),
        (
            lambda: minpy.grad(lambda x: np.sum(np.ma.sqrt(x)))(X),
            NoDerivativeError,
            r"numpy\.ma\.sqrt has no derivative in minpy.*\.primitive.*asnumpy",
        ),
        (
            lambda: minpy.grad(lambda x: np.sum(np.power.reduce(x, where=x > 0)))(X),
            NoDerivativeError,
            r"power\.reduce has no derivative",
        ),
        (
            lambda: minpy.grad(lambda x: np.sum(np.sum(numpy.ones(3), initial=x[0])))(X),
            DifferentiationError,
            "sum: no derivative with respect to the keyword argument 'initial'",
        ),
        (
            lambda: minpy.grad(lambda x: np.quantile(X, x[0]))(X),
            NoDerivativeError,
            "with respect to q",
        ),
        (lambda: minpy.grad(lambda x: np.sum(x + np.ones(2)))(X), ValueError, "broadcast"),
        (lambda: minpy.grad(lambda x: np.sum(x @ np.ones((2, 2))))(X), ValueError, "mismatch"),
        (lambda: minpy.grad(lambda x: x[7])(X), IndexError, "out of bounds"),
        (lambda: minpy.grad(lambda x: np.reshape(x, (2, 2)))(X), ValueError, "cannot reshape"),
        (lambda: minpy.defvjp(numpy.sin, None), TypeError, "expected a primitive, got sin"),
        (lambda: minpy.check_grads(np.sin, modes=["up"]), ValueError, "'fwd' and 'rev'"),
    ],
)
def test_errors_say_what_was_given_and_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_error_types_fit_what_users_catch():
    assert issubclass(DifferentiationError, TypeError) and issubclass(
        DifferentiationError, MinpyError
    )
    assert issubclass(NoDerivativeError, NotImplementedError)


def test_a_result_that_does_not_depend_on_the_argument_has_gradient_zero_and_says_so():
    for function in (lambda x: 1.0, lambda x: np.sum(np.sign(x)), lambda x: np.sum(x > 0)):
        with pytest.warns(UserWarning, match="doesn't depend on the argument"):
            close(minpy.grad(function)(X), [0, 0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g = minpy.grad(lambda a, b: np.sum(a), (0, 1))(X, X)
        close(g[1], [0, 0, 0])
        close(minpy.make_jvp(lambda x: np.ones(2))(X)(X)[1], [0, 0])


def test_functions_of_integers_and_booleans_are_constants():
    def f(x):
        k = np.argmax(x)
        mask = (x > 0) & np.isfinite(x)
        order = np.argsort(x)
        n = np.floor(x).astype("int64")
        assert not np.allclose(x, 0.0) and np.ndim(x) == 1 and np.array_equal(x, x)
        return x[k] * 2.0 + np.sum(x[mask]) + x[order][0] + np.sum(x * n) + np.sum(mask) * x[0]

    g = minpy.grad(f)(X)
    expected = numpy.array([0.0, 0.0, 2.0]) + (X > 0) + (X.min() == X) + numpy.floor(X)
    expected[0] += 2
    close(g, expected)


def test_numpys_conversions_to_integers_and_booleans_are_constants_too():
    def f(x):
        rows = numpy.int64(x[:, 0])
        assert rows.dtype == "int64"
        chosen = numpy.asarray(x, dtype=bool)
        return np.sum(x[rows]) + np.sum(x[chosen]) + x[numpy.uint8(x[1, 0]), 1]

    x = np.array([[0.0, 2.5], [1.5, 0.0], [1.0, 3.0]])
    expected = numpy.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]]) + (x.asnumpy() != 0)
    expected[1, 1] += 1
    close(minpy.grad(f)(x), expected)
    with pytest.raises(TypeError, match="lose the gradient"):
        minpy.grad(lambda x: np.sum(numpy.asarray(x, dtype=float)))(x)


def test_the_memory_of_what_is_differentiated_is_not_given_away():
    assert np.ones(3).data.shape == (3,)
    with pytest.raises(TypeError, match="lose the gradient"):
        minpy.grad(lambda x: np.sum(x.data))(np.ones(3))


# --- one's own primitives -------------------------------------------------------------------------


def test_a_primitive_with_a_numpy_kernel_alone():
    seen = []

    @minpy.primitive
    def softplus(x):
        seen.append(type(x))
        return numpy.log1p(numpy.exp(x))

    with pytest.raises(NoDerivativeError, match=r"softplus has no derivative; register one"):
        minpy.grad(lambda x: np.sum(softplus(x)))(X)
    minpy.defvjp(softplus, lambda ans, x: lambda g: g / (1.0 + np.exp(-x)))
    minpy.check_grads(softplus, order=3)(X)
    assert set(seen) == {numpy.ndarray}
    assert type(softplus(np.array(X))) is np.ndarray
    minpy.check_grads(lambda x: minpy.grad(lambda y: np.sum(softplus(y) * x))(x), order=2)(X)


def test_a_primitive_with_an_mxnet_kernel_alone():
    pytest.importorskip("mxnet")

    @minpy.primitive(only_mxnet=True)
    def softsign(F, x):
        return F("softsign", x)

    minpy.defvjp(softsign, lambda ans, x: lambda g: g / (1.0 + np.abs(x)) ** 2)
    x = np.array(numpy.array([0.5, -2.0], "float32"))
    close(softsign(x), x.asnumpy() / (1 + abs(x.asnumpy())), 1e-6)
    close(minpy.grad(lambda x: np.sum(softsign(x)))(x), (1 + abs(x.asnumpy())) ** -2.0, 1e-6)
    assert softsign.ran_mxnet == 2 and softsign.ran_numpy == 0
    compiled = minpy.jit(lambda x: softsign(x) * 2.0)
    close(compiled(x), 2 * x.asnumpy() / (1 + abs(x.asnumpy())), 1e-6)
    with minpy.policy.use_policy("only_numpy"), pytest.raises(PolicyError, match="only_numpy"):
        softsign(x)
    with pytest.raises(TypeError, match="two MXNet kernels"):
        minpy.primitive(lambda F, x: x, mxnet=lambda F, x: x, only_mxnet=True)


def test_without_mxnet_its_kernel_says_so(monkeypatch):
    from minpy import runtime

    identity = minpy.primitive(lambda F, x: x, name="identity", only_mxnet=True)
    monkeypatch.setattr(runtime, "available", lambda: False)
    with pytest.raises(PolicyError, match="identity has an MXNet kernel alone, and mxnet isn't"):
        identity(np.ones(2))


def test_all_forms_of_rules():
    def kernel(x, y, scale=1.0):
        return scale * x * y

    def build():
        return minpy.primitive(kernel, name="scaled")

    def check(op):
        minpy.check_grads(lambda x, y: op(x, y, scale=3.0), order=2)(X, X + 1.0)
        minpy.check_grads(lambda x: op(x, 2.0), order=2)(X)
        minpy.check_grads(lambda y: op(2.0, y), order=2)(X)

    one = build()
    minpy.defvjp(
        one,
        lambda ans, x, y, scale=1.0: (
            lambda g: g * y * scale if np.ndim(x) else np.sum(g * y) * scale
        ),
        lambda ans, x, y, scale=1.0: (
            lambda g: g * x * scale if np.ndim(y) else np.sum(g * x) * scale
        ),
    )
    check(one)

    two = build()
    autograd.defvjp_argnum(
        two,
        lambda argnum, ans, args, kwargs: lambda g: g * args[1 - argnum] * kwargs.get("scale", 1),
    )
    autograd.defjvp_argnum(
        two, lambda argnum, g, ans, args, kwargs: g * args[1 - argnum] * kwargs.get("scale", 1)
    )
    check(two)

    three = build()
    autograd.defvjp_argnums(
        three,
        lambda argnums, ans, args, kwargs: (
            lambda g: tuple(g * args[1 - i] * kwargs.get("scale", 1) for i in argnums)
        ),
    )
    check(three)
    autograd.defjvp_argnums(
        three,
        lambda argnums, gs, ans, args, kwargs: sum(
            three(*[g if j == i else a for j, a in enumerate(args)], **kwargs)
            for i, g in zip(argnums, gs, strict=True)
        ),
    )
    check(three)

    four = build()
    minpy.defvjp(four, lambda ans, x, y, scale=1.0: lambda g: g * x * scale, argnums=[1])
    minpy.defvjp(four, lambda ans, x, y, scale=1.0: lambda g: g * y * scale, argnums=(0,))
    autograd.defjvp(four, "same", lambda g, ans, x, y, scale=1.0: four(x, g, scale=scale))
    check(four)

    five = build()
    minpy.defvjp(five, lambda ans, x, y, scale=1.0: lambda g: five(g, y, scale=scale), None)
    autograd.def_linear(five)
    minpy.check_grads(lambda x: five(x, 2.0), order=2)(X)
    close(minpy.grad(lambda y: np.sum(five(X, y) + y))(X), [1, 1, 1])
    six = build()
    minpy.defvjp(six, lambda ans, x, y: lambda g: g * y)
    with pytest.raises(NoDerivativeError, match="with respect to its argument 1"):
        minpy.grad(lambda y: np.sum(six(X, y)))(X)


def test_rules_of_several_results():
    split = minpy.primitive(lambda x: (numpy.sin(x), numpy.cos(x)), name="sincos")
    minpy.defvjp(split, lambda ans, x: lambda g: g[0] * ans[1] - g[1] * ans[0])
    minpy.check_grads(split, order=3)(X)
    minpy.check_grads(lambda x: split(x)[0] * x, order=2)(X)
    minpy.check_grads(lambda x: split(split(x)[1])[0], order=2)(X)


def test_a_rule_count_that_does_not_fit_is_refused():
    op = minpy.primitive(lambda x, y: x * y, name="two")
    with pytest.raises(ValueError, match="defvjp: 2 rules for 1 argument numbers"):
        minpy.defvjp(op, lambda ans, x, y: None, lambda ans, x, y: None, argnums=[0])
    with pytest.raises(ValueError, match="expected a function, 'same' or None, got 3"):
        autograd.defjvp(op, 3)


def test_errors_inside_a_rule_are_its_own():
    op = minpy.primitive(lambda x: x * 2.0, name="broken")
    minpy.defvjp(op, lambda ans, x: {}["missing"])
    with pytest.raises(KeyError, match="missing"):
        minpy.grad(lambda x: np.sum(op(x)))(X)


# --- complex numbers ------------------------------------------------------------------------------


def test_complex_inside_a_real_function():
    def f(x, y):
        z = np.exp((x + 1j * y) ** 2)
        return np.sum(np.real(z * np.conj(z)) + np.angle(z) + np.abs(z) + np.imag(z))

    minpy.check_grads(f, order=2)(X, X * 0.3 + 0.1)


def test_complex_arguments_follow_hips_convention():
    z = np.array([1.0 + 2.0j, -0.5 + 1.0j])
    g = minpy.grad(lambda z: np.sum(np.real(z * np.conj(z))))(z)
    close(g, 2 * numpy.conj(z.asnumpy()))
    vjp, _ = minpy.make_vjp(np.exp)(z)
    close(vjp(np.ones(2, dtype="complex128")), numpy.exp(z.asnumpy()))


# --- finite differences ---------------------------------------------------------------------------


def test_check_grads_finds_a_wrong_rule():
    wrong = minpy.primitive(lambda x: x**2, name="wrong")
    minpy.defvjp(wrong, lambda ans, x: lambda g: 3.0 * g * x)
    for modes in (["rev"], ["fwd"]):
        with pytest.raises(
            AssertionError, match=rf"derivative {modes[0]} of wrong is .*finite differences"
        ):
            minpy.check_grads(wrong, modes=modes)(X)
    second = minpy.primitive(lambda x: x**2, name="second")
    minpy.defvjp(second, lambda ans, x: lambda g: 2.0 * g * np.asarray(x.asnumpy()))
    minpy.check_grads(second, order=1)(X)
    with pytest.raises(AssertionError, match=r"rev-of-rev|fwd-of"):
        minpy.check_grads(second, order=2)(X)


def test_check_grads_leaves_the_default_dtype_alone():
    minpy.set_default_dtype("float32")
    minpy.check_grads(lambda x: np.sum(x * np.ones(3)))(X.astype("float32"))
    assert minpy.default_dtype() == numpy.float32
