"""An error in a derivative points at the line of the program that made the operation."""

from __future__ import annotations

import traceback
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np

X = numpy.ones(3)


@minpy.primitive
def fails_back(x):
    return x * 2


@minpy.primitive
def fails_back_with_two(x):
    return x * 2, x * 3


def _failing(ans, x):
    def vjp(g):
        raise RuntimeError("this rule is wrong")

    return vjp


minpy.defvjp(fails_back, _failing)
minpy.defvjp(fails_back_with_two, _failing)


def lines(error) -> list[str]:
    """Return function and text of the traceback's lines in this file, and the order of all."""
    return [
        f"{frame.name}: {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == __file__
    ]


def model(x):
    y = np.sin(x)
    z = fails_back(y)  # the culprit
    return np.sum(z * y)


def test_the_line_that_made_the_operation_is_in_the_traceback():
    with pytest.raises(RuntimeError, match="this rule is wrong") as caught:
        minpy.grad(model)(X)
    found = lines(caught.value)
    culprit = "model, derivative of fails_back: z = fails_back(y)  # the culprit"
    assert culprit in found
    # After the call for the derivative, and before the rule.
    assert found.index(culprit) == len(found) - 2
    assert found[-1].startswith("vjp: raise RuntimeError")
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize(
    "derive",
    [
        lambda f: minpy.grad(f)(X),
        lambda f: minpy.make_vjp(f)(X)[0](np.array(1.0)),
        lambda f: minpy.jacobian(f)(X),
        lambda f: minpy.hessian(f)(X),
        lambda f: minpy.make_jvp(minpy.grad(f))(X)(X),
        lambda f: minpy.grad(minpy.autograd.checkpoint(f))(X),
    ],
)
def test_whatever_asked_for_the_derivative(derive):
    with pytest.raises(RuntimeError) as caught:
        derive(model)
    assert any(line.endswith("z = fails_back(y)  # the culprit") for line in lines(caught.value))


def test_operations_with_several_results_and_methods_and_operators():
    def f(x):
        a, b = fails_back_with_two(x)  # several
        return np.sum(a + b)

    with pytest.raises(RuntimeError) as caught:
        minpy.grad(f)(X)
    assert (
        "f, derivative of fails_back_with_two: a, b = fails_back_with_two(x)  # several"
        in lines(caught.value)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        def g(x):
            y = x**0.5  # an operator
            return y.sum()

        with pytest.raises(RuntimeWarning, match="divide by zero") as caught:
            minpy.grad(g)(numpy.zeros(2))
    assert "g, derivative of sqrt: y = x**0.5  # an operator" in lines(caught.value)


def test_a_derivative_forward_fails_on_the_line_itself():
    with pytest.raises(RuntimeError) as caught:
        minpy.make_jvp(model)(X)(X)
    assert "model: z = fails_back(y)  # the culprit" in lines(caught.value)


def test_a_missing_rule_fails_on_the_line_itself():
    def f(x):
        y = np.ma.sqrt(x)  # no rule
        return np.sum(y)

    with pytest.raises(NotImplementedError) as caught:
        minpy.grad(f)(X)
    assert "f: y = np.ma.sqrt(x)  # no rule" in lines(caught.value)


def test_a_program_without_a_file_has_its_line_too():
    names = {"np": np, "fails_back": fails_back}
    exec(compile("def f(x):\n\n    return np.sum(fails_back(x))", "<cell 7>", "exec"), names)
    with pytest.raises(RuntimeError) as caught:
        minpy.grad(names["f"])(X)
    found = traceback.extract_tb(caught.value.__traceback__)
    assert ("<cell 7>", 3) in [(frame.filename, frame.lineno) for frame in found]


def test_a_tape_keeps_no_frame_and_no_variable_of_the_program():
    import weakref

    kept = []

    def f(x):
        large = np.zeros(10)
        kept.append(weakref.ref(large))
        return np.sum(x * 2.0)

    tape = minpy.make_vjp(f)(X)
    assert kept[0]() is None
    del tape


def test_an_error_without_a_line_stays_as_it_is():
    from minpy.autograd.origin import located

    error = ValueError("of a rule")
    assert located(error, None, "sin") is error
    assert error.__traceback__ is None
