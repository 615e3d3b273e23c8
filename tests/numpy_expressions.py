"""Expressions with the functions of NumPy that the table of calls hasn't: name → expressions.

Each is evaluated twice, with ``np`` as numpy and as minpy.numpy, and with the arrays of `ARRAYS`.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import Any

import numpy

ARRAYS: dict[str, numpy.ndarray] = {
    "A": numpy.array([1.25, -2.0, 3.5]),
    "B": numpy.array([0.5, 2.0, -1.0]),
    "X": numpy.array([[1.5, -0.25, 2.0], [0.75, 4.0, -3.0], [-1.0, 0.5, 1.25]]),
    "P": numpy.array([0.3, 1.5, 2.25, 0.9]),
    "I": numpy.array([3, 1, 2]),
    "J": numpy.array([1, 2, 5]),
    "U": numpy.array([3, 129, 255], "uint8"),
    "K": numpy.array([True, False, True]),
    "Z": numpy.array([1 + 2j, -0.5j, 2 - 1j]),
    "E": numpy.zeros((0, 3)),
}


def did(function: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
    """Return an array after a function has written to it."""
    target = target.copy()
    function(target, *args, **kwargs)
    return target


def through_file(write: Any, read: Any) -> Any:
    """Return what one function reads from what another has written to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stored")
        write(path)
        (name,) = os.listdir(folder)
        found = read(os.path.join(folder, name))
        return {k: found[k] for k in found.files} if hasattr(found, "files") else found


def text(content: str) -> io.StringIO:
    return io.StringIO(content)


def written(write: Any) -> str:
    """Return what a function writes to a file."""
    file = io.StringIO()
    write(file)
    return file.getvalue()


def printed(function: Any) -> str:
    """Return what a function prints."""
    file = io.StringIO()
    with contextlib.redirect_stdout(file):
        function()
    return file.getvalue()


TOOLS = {"did": did, "through_file": through_file, "text": text, "io": io}
TOOLS |= {"written": written, "printed": printed}

# --- functions ---

EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "apply_over_axes": ("np.apply_over_axes(np.sum, X, [0])",),
    "arange": (
        "np.arange(5)",
        "np.arange(1.0, 3.0, 0.25)",
        "np.arange(4, dtype='int8')",
        "np.arange(A[1], 4.0, P[0])",
    ),
    "bincount": ("np.bincount(J, weights=A)", "np.bincount(I, minlength=5)"),
    "array": ("np.array([[1, 2], [3, 4]])", "np.array(A, ndmin=2)", "np.array([1.5, 2], 'f4')"),
    "array2string": ("np.array2string(A, precision=2)",),
    "array_equiv": ("np.array_equiv(A, [A, A])", "np.array_equiv(A, B)"),
    "array_repr": ("np.array_repr(I)",),
    "asanyarray": ("np.asanyarray([1.5, 2.0])", "np.asanyarray(A)"),
    "asarray": ("np.asarray([1, 2.5])", "np.asarray(I, dtype=float)", "np.asarray(A)"),
    "asarray_chkfinite": (
        "np.asarray_chkfinite([1.5, 2.0])",
        "np.asarray_chkfinite([np.nan])",
        "np.asarray_chkfinite(A)",
    ),
    "ascontiguousarray": ("np.ascontiguousarray(X.T)",),
    "asfarray": ("np.asfarray(I)", "np.asfarray(A)"),
    "asfortranarray": ("np.asfortranarray(X)",),
    "asmatrix": ("np.array(np.asmatrix(X) * np.asmatrix(X))",),
    "mat": ("np.array(np.mat('1 2; 3 4'))",),
    "bmat": ("np.array(np.bmat('M, M', {'M': np.asmatrix(X)}))",),
    **{
        name: (f"np.{name}(7)", f"np.{name}(1)", f"np.{name}(0)")
        for name in ("bartlett", "blackman", "hamming", "hanning")
    },
    "kaiser": ("np.kaiser(6, 3.5)", "np.kaiser(6, P[1])", "np.kaiser(1, P[1])"),
    "i0": ("np.i0(P)",),
    "base_repr": ("np.base_repr(37, 3)",),
    "binary_repr": ("np.binary_repr(-3, 6)",),
    "broadcast_arrays": ("np.broadcast_arrays(A, X)",),
    "broadcast_shapes": ("np.broadcast_shapes((3, 1), (2,))", "np.broadcast_shapes((3,), (2,))"),
    "busday_count": ("int(np.busday_count('2024-01', '2024-02'))",),
    "busday_offset": ("str(np.busday_offset('2024-01-06', 1, roll='forward'))",),
    "is_busday": ("bool(np.is_busday('2024-01-06'))",),
    "byte_bounds": ("np.subtract(*np.byte_bounds(X)).item()",),
    "can_cast": ("np.can_cast('i4', 'f4')", "np.can_cast(A.dtype, 'f4', 'same_kind')"),
    "common_type": ("np.common_type(A, I)", "np.common_type(Z)"),
    "copy": ("np.copy(X.T, order='K')", "np.copy(E)"),
    "copyto": ("did(np.copyto, A, B, where=K)", "did(np.copyto, I, B)"),
    "datetime_as_string": ("np.datetime_as_string(np.datetime64('2024-05-03')).item()",),
    "datetime_data": ("np.datetime_data('m8[25s]')",),
    "isnat": ("bool(np.isnat(np.datetime64('NaT')))",),
    "diag_indices": ("np.diag_indices(3)",),
    "diag_indices_from": ("np.diag_indices_from(X)",),
    "disp": ("written(lambda file: np.disp(A, file))",),
    "einsum_path": ("np.einsum_path('ij,jk,kl->il', X, X, X)[0]",),
    "empty": ("np.empty((2, 3)).shape", "np.empty(0)"),
    "eye": ("np.eye(3)", "np.eye(2, 3, -1, dtype=int)"),
    "identity": ("np.identity(3)",),
    "fill_diagonal": ("did(np.fill_diagonal, X, 7.0)", "did(np.fill_diagonal, X, B)"),
    "find_common_type": ("np.find_common_type(['i4'], ['f8'])",),
    "promote_types": ("np.promote_types('i4', 'f4')",),
    "min_scalar_type": ("np.min_scalar_type(260)", "np.min_scalar_type(-1)"),
    "mintypecode": ("np.mintypecode('fD')",),
    "maximum_sctype": ("np.maximum_sctype('f4')",),
    "obj2sctype": ("np.obj2sctype(np.float32)",),
    "sctype2char": ("np.sctype2char(np.float64)",),
    "issctype": ("np.issctype(np.int8)", "np.issctype(3)"),
    "issubclass_": ("np.issubclass_(np.int32, np.integer)",),
    "issubdtype": ("np.issubdtype(A.dtype, np.floating)",),
    "issubsctype": ("np.issubsctype(A.dtype, float)",),
    "isscalar": ("np.isscalar(3.0)", "np.isscalar(A)"),
    "iterable": ("np.iterable(A)", "np.iterable(3)"),
    "typename": ("np.typename('f')",),
    "format_float_positional": ("np.format_float_positional(1e-4)",),
    "format_float_scientific": ("np.format_float_scientific(1234.5)",),
    "frombuffer": ("np.frombuffer(b'\\1\\2\\3', 'uint8')", "np.frombuffer(A.tobytes())"),
    "fromfile": ("through_file(A.tofile, np.fromfile)",),
    "fromfunction": ("np.fromfunction(lambda i, j: i * 2.5 + j, (2, 3))",),
    "fromiter": ("np.fromiter((i * 0.5 for i in range(4)), float)",),
    "frompyfunc": ("np.frompyfunc(lambda a, b: a * b, 2, 1)(3, 4)",),
    "fromregex": ("np.fromregex(text('1 2'), r'(\\d+) (\\d+)', 'i4, i4').tolist()",),
    "fromstring": ("np.fromstring('1.5 2.5', sep=' ')",),
    "from_dlpack": ("np.from_dlpack(A)",),
    "full_like": ("np.full_like(X, A)", "np.full_like(I, 2.5)", "np.full_like(X, 1, int)"),
    "full": ("np.full((2, 2), 1.5)", "np.full(2, 3)", "np.full(3, B)"),
    "ones": ("np.ones((2, 3))", "np.ones(2, int)"),
    "zeros": ("np.zeros((2, 3))", "np.zeros((), bool)", "np.zeros(-1)"),
    "genfromtxt": ("np.genfromtxt(text('1,2\\n3,'), delimiter=',')",),
    "recfromcsv": ("np.recfromcsv(text('a,b\\n1,2'), encoding=None).tolist()",),
    "recfromtxt": ("np.recfromtxt(text('1 2')).tolist()",),
    "loadtxt": ("np.loadtxt(text('1 2\\n3 4'))",),
    "savetxt": ("through_file(lambda f: np.savetxt(f, X), np.loadtxt)",),
    "load": ("through_file(lambda f: np.save(f, X), np.load)",),
    "save": ("through_file(lambda f: np.save(f, I), np.load)",),
    "savez": ("through_file(lambda f: np.savez(f, a=X, b=I), np.load)",),
    "savez_compressed": ("through_file(lambda f: np.savez_compressed(f, a=X), np.load)",),
    "get_array_wrap": ("callable(np.get_array_wrap(A))",),
    "geomspace": ("np.geomspace(1.0, 1000.0, 4)", "np.geomspace(P, 9.0, 3)"),
    "linspace": ("np.linspace(0, 1, 5)", "np.linspace(0, A, 3, axis=1)", "np.linspace(0, 1, 0)"),
    "logspace": ("np.logspace(0, 2, 5)", "np.logspace(A, 2, 3)"),
    "histogram": (
        "np.histogram(A, 2, weights=B)",
        "np.histogram(P, 'auto', density=True)",
        "np.histogram(P, B)",
    ),
    "histogram2d": ("np.histogram2d(A, B, 2)", "np.histogram2d(A, B, 2, weights=A)"),
    "histogramdd": ("np.histogramdd(X, 2)", "np.histogramdd([A, B], [2, 3], density=True)"),
    "histogram_bin_edges": (
        "np.histogram_bin_edges(P, 3)",
        "np.histogram_bin_edges(P, 'fd')",
        "np.histogram_bin_edges(P, [0.0, 1.0])",
        "np.histogram_bin_edges(P[:1], 2)",
        "np.histogram_bin_edges(E)",
    ),
    "in1d": ("np.in1d(I, J)",),
    "intersect1d": (
        "np.intersect1d(I, J)",
        "np.intersect1d(A, X)",
        "np.intersect1d(I, J, return_indices=True)",
    ),
    "setdiff1d": ("np.setdiff1d(I, J)", "np.setdiff1d(A, B)"),
    "setxor1d": ("np.setxor1d(I, J)", "np.setxor1d(A, B)"),
    "union1d": ("np.union1d(A, B)", "np.union1d(I, J)"),
    "indices": ("np.indices((2, 3))", "np.indices((2,), sparse=True)"),
    "isfortran": ("np.isfortran(np.array(X, order='F'))",),
    "isrealobj": ("np.isrealobj(A)", "np.isrealobj(Z)"),
    "ix_": ("np.ix_([0, 2], [1])", "X[np.ix_(K, [0, 2])]"),
    "lookfor": ("written(lambda file: np.lookfor('dumps', 'json', output=file))",),
    "mask_indices": ("np.mask_indices(3, np.triu)",),
    "may_share_memory": ("np.may_share_memory(X, X[0])", "np.may_share_memory(X, X.copy())"),
    "shares_memory": ("np.shares_memory(X, X[1:])", "np.shares_memory(A, B)"),
    "meshgrid": ("np.meshgrid(A, B)", "np.meshgrid(A, I, indexing='ij', sparse=True)"),
    "nested_iters": (
        "[float(v) for i in [np.nested_iters(X, [[0], [1]])] for _ in i[0] for v in i[1]]",
    ),
    "piecewise": ("np.piecewise(A, [A > 0, A < -1], [lambda x: x * x, lambda x: -x, 0.5])",),
    "place": ("did(np.place, A, A > 0, [9.0])",),
    "put": ("did(np.put, X, [0, 8], [5.0, 6.0])", "did(np.put, A, [7], 1.0)"),
    "put_along_axis": ("did(np.put_along_axis, X, np.array([[0], [2], [1]]), 9.0, 1)",),
    "putmask": ("did(np.putmask, A, K, B)",),
    "poly": ("np.poly(A)", "np.poly(X)"),
    "polyadd": ("np.polyadd(A, [1.0, 2.0])",),
    "polysub": ("np.polysub(A, [1.0, 2.0])",),
    "polymul": ("np.polymul(A, B)",),
    "polydiv": ("np.polydiv(A, [1.0, 2.0])",),
    "polyder": ("np.polyder(P)", "np.polyder(P, 2)"),
    "polyint": ("np.polyint(A)", "np.polyint(A, 2)"),
    "roots": ("np.roots(A)",),
    "require": (
        "np.require(X.T, requirements='C').flags.c_contiguous",
        "np.require(A)",
    ),
    "round_": ("np.round_(A, 1)",),
    "safe_eval": ("np.safe_eval('[1, 2]')",),
    "sort_complex": ("np.sort_complex(Z)", "np.sort_complex(A)"),
    "tri": ("np.tri(3, 4, 1)",),
    "tril_indices_from": ("np.tril_indices_from(X)",),
    "triu_indices": ("np.triu_indices(3, 1)",),
    "triu_indices_from": ("np.triu_indices_from(X, -1)",),
    "trim_zeros": (
        "np.trim_zeros(np.array([0.0, 1.0, 2.0, 0.0]))",
        "np.trim_zeros(A)",
        "np.trim_zeros(E[:, 0])",
    ),
    "unpackbits": ("np.unpackbits(U)", "np.unpackbits(U, axis=0, count=9)"),
    "alltrue": ("np.alltrue(K)",),
    "sometrue": ("np.sometrue(K)",),
    "product": ("np.product(A)",),
    "cumproduct": ("np.cumproduct(A)",),
    "compare_chararrays": ("np.compare_chararrays(['a'], ['b'], '<', True)",),
    "fastCopyAndTranspose": ("np.fastCopyAndTranspose(X)",),
    # What is set for the whole process is set in one and seen in both.
    "geterr": ("np.geterr()",),
    "seterr": ("(np.seterr(**np.geterr()), np.geterr())",),
    "geterrcall": ("np.geterrcall()",),
    "seterrcall": ("np.seterrcall(np.geterrcall())",),
    "geterrobj": ("np.geterrobj()",),
    "seterrobj": ("np.seterrobj(np.geterrobj())",),
    "getbufsize": ("np.getbufsize()",),
    "setbufsize": ("np.setbufsize(np.getbufsize())",),
    "get_printoptions": ("np.get_printoptions()",),
    "set_printoptions": ("np.set_printoptions(**np.get_printoptions())",),
    "printoptions": ("np.printoptions(precision=2).__enter__()['precision']",),
    "set_string_function": ("np.set_string_function(None)",),
    "set_numeric_ops": ("sorted(np.set_numeric_ops())",),
    # About NumPy itself.
    "get_include": ("np.get_include()",),
    "show_config": ("np.show_config('dicts').keys()",),
    "info": ("written(lambda file: np.info('numpy.interp', output=file))",),
    "source": ("written(lambda file: np.source(did, output=file))",),
    "who": ("printed(lambda: np.who({'A': A, 'X': X}))",),
    "show_runtime": ("printed(np.show_runtime)",),
    "add_docstring": ("(lambda f: (np.add_docstring(f, 'new'), f.__doc__))(lambda: 0)",),
    "add_newdoc": ("np.add_newdoc('json', 'nothing', 'new')",),
    "add_newdoc_ufunc": ("np.add_newdoc_ufunc(np.frompyfunc(abs, 1, 1), 'new')",),
    "deprecate": ("np.deprecate(lambda n: n + 1)(3)", "np.deprecate(len, message='old')(X)"),
    "deprecate_with_doc": ("np.deprecate_with_doc('old')(lambda n: n + 1)(3)",),
    # --- linear algebra ---
    "linalg.eigvals": ("np.linalg.eigvals(X)",),
    "linalg.lstsq": ("np.linalg.lstsq(X, A, rcond=None)",),
    "linalg.tensorinv": ("np.linalg.tensorinv(np.eye(6).reshape(2, 3, 6) * A[0])",),
    "linalg.tensorsolve": ("np.linalg.tensorsolve(np.eye(6).reshape(2, 3, 2, 3) * 2.0, X[:2])",),
    # --- Fourier transforms ---
    **{
        f"fft.{name}": (f"np.fft.{name}(A)", f"np.fft.{name}(X, 4, axis=0)", f"np.fft.{name}(E)")
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    },
    **{
        f"fft.{name}": (f"np.fft.{name}(X)", f"np.fft.{name}(X, norm='ortho')")
        for name in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
    },
    "fft.fftshift": ("np.fft.fftshift(X)", "np.fft.fftshift(X, axes=0)"),
    "fft.ifftshift": ("np.fft.ifftshift(X)",),
    "fft.rfftfreq": ("np.fft.rfftfreq(5, 0.5)",),
}

# --- random numbers: what isn't a draw ---

EXPRESSIONS |= {
    "random.seed": ("(np.random.seed(5), np.random.rand(3))",),
    "random.get_state": ("(np.random.seed(5), np.random.get_state()[0])",),
    "random.set_state": ("(np.random.seed(5), np.random.set_state(np.random.get_state()))",),
    "random.default_rng": ("np.random.default_rng(3).random(4)",),
    "random.shuffle": ("(np.random.seed(1), did(np.random.shuffle, X))[1]",),
}

# --- classes, and objects that make arrays ---

EXPRESSIONS |= {
    "DataSource": ("np.DataSource(None).exists('not there')",),
    "broadcast": ("np.broadcast(A, X).shape", "np.broadcast(A, J[:2])"),
    "busdaycalendar": ("np.busdaycalendar().weekmask.tolist()",),
    "c_": ("np.c_[A, B]", "np.c_[X, I]"),
    "cast": ("np.cast['f4'](I).tolist()",),
    "chararray": ("np.chararray((2, 1)).shape",),
    "dtype": ("np.dtype('f4')", "np.dtype([('a', int)]).names", "np.dtype('no')"),
    "errstate": ("np.errstate(divide='ignore').kwargs",),
    "finfo": ("np.finfo(A.dtype).eps.item()", "np.finfo(int)"),
    "flatiter": ("type(np.asmatrix(X).flat) is np.flatiter",),
    "format_parser": ("np.format_parser('f8, i4', [], []).dtype",),
    "iinfo": ("np.iinfo('int8').max", "np.iinfo(float)"),
    "index_exp": ("X[np.index_exp[1:, ::-1]]",),
    "little_endian": ("np.little_endian",),
    "matrix": ("np.array(np.matrix(X) * np.matrix(X))",),
    "memmap": ("through_file(A.tofile, lambda f: np.array(np.memmap(f, float, 'r')))",),
    "mgrid": ("np.mgrid[0:3, 0:2]", "np.mgrid[0:1:5j]"),
    "ndarray": ("type(A) is np.ndarray",),
    "ndenumerate": ("[(i, float(v)) for i, v in np.ndenumerate(X)]",),
    "ndindex": ("list(np.ndindex(2, 3))", "list(np.ndindex(-1))"),
    "nditer": ("[float(v) for v in np.nditer(X)]",),
    "ogrid": ("np.ogrid[0:3, 0:2]",),
    "poly1d": (
        "np.poly1d(A)(B)",
        "(np.poly1d(A) * np.poly1d(B)).coeffs",
        "np.poly1d(A).deriv().c",
        "np.poly1d(X)",
    ),
    "r_": ("np.r_[A, 0.5, B]", "np.r_['0,2', A, B]", "np.r_[0:1:5j]"),
    "recarray": ("np.recarray((2,), 'f8, i4').dtype.names",),
    "record": ("type(np.rec.array([(1, 2.5)], 'i4, f4')[0]) is np.record",),
    "s_": ("X[np.s_[::2, 1]]",),
    "typecodes": ("np.typecodes['Float']",),
    "ufunc": ("type(np.frompyfunc(abs, 1, 1)) is np.ufunc",),
    "vectorize": (
        "np.vectorize(lambda a, b: a * b if a > b else a)(A, B)",
        "np.vectorize(lambda a: a.sum(), signature='(n)->()')(X)",
        "np.vectorize(lambda a: (a, a > 0), otypes='fi')(A)",
        "np.vectorize(lambda a: a)(E)",
    ),
    "random.BitGenerator": ("issubclass(np.random.PCG64, np.random.BitGenerator)",),
    "random.Generator": ("np.random.Generator(np.random.PCG64(3)).random(4)",),
    **{
        f"random.{name}": (f"np.random.Generator(np.random.{name}(3)).integers(0, 99, 4)",)
        for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    },
    "random.RandomState": ("np.random.RandomState(3).rand(4)",),
    "random.SeedSequence": ("np.random.SeedSequence(3).generate_state(3).tolist()",),
}

# --- polynomials: six families with functions of the same names ---

_FAMILIES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}
_OF_FAMILIES = {
    "{f}add": "(A, B)",
    "{f}sub": "(A, [1.0])",
    "{f}mulx": "(A)",
    "{f}mul": "(A, B)",
    "{f}div": "(P, A)",
    "{f}pow": "(A, 2)",
    "{f}val": "(P, A)",
    "{f}val2d": "(A, B, X)",
    "{f}val3d": "(A, B, A, X[None])",
    "{f}grid2d": "(A, B, X)",
    "{f}grid3d": "(A, B, A, X[None])",
    "{f}der": "(P)",
    "{f}int": "(A)",
    "{f}vander": "(A, 2)",
    "{f}vander2d": "(A, B, [1, 2])",
    "{f}vander3d": "(A, B, A, [1, 1, 1])",
    "{f}fit": "(P, P * P, 2)",
    "{f}fromroots": "(A)",
    "{f}roots": "(A)",
    "{f}companion": "(P)",
    "{f}line": "(A[0], B[1])",
    "{f}trim": "(A * [1.0, 1.0, 0.0])",
    "{f}gauss": "(3)",
    "{f}weight": "(P * 0.25)",
    "{f}2poly": "(A)",
    "poly2{f}": "(A)",
    "chebpts1": "(4)",
    "chebpts2": "(4)",
    "chebinterpolate": "(np.cos, 3)",
    "{f}valfromroots": "(0.5, A)",
}
for _module, _prefix in _FAMILIES.items():
    _has = getattr(numpy.polynomial, _module)
    for _form, _arguments in _OF_FAMILIES.items():
        _name = _form.format(f=_prefix)
        if hasattr(_has, _name) and _name.find(_prefix) >= 0:
            _path = f"polynomial.{_module}.{_name}"
            EXPRESSIONS[_path] = (f"np.{_path}{_arguments}",)
EXPRESSIONS["polynomial.set_default_printstyle"] = (
    "np.polynomial.set_default_printstyle('unicode')",
)

# --- masked arrays ---

_MASKED = "np.ma.array([1.5, 2.0, -3.0], mask=[0, 1, 0])"
_SQUARE = "np.ma.array([[1.5, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])"
_TWO = (
    "add subtract multiply divide true_divide floor_divide remainder mod fmod power arctan2 hypot "
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor "
    "maximum minimum"
)
_BITS = "bitwise_and bitwise_or bitwise_xor left_shift right_shift"
_ONE = (
    "abs absolute angle arccosh arcsin arccos arcsinh arctan arctanh around ceil conjugate cos "
    "cosh exp fabs floor log log10 log2 logical_not negative round round_ sin sinh sqrt tan tanh "
    "copy all alltrue any sometrue amax amin max min anom anomalies argmax argmin argsort average "
    "compressed count cumprod cumsum diff ediff1d filled getdata getmask getmaskarray isMA "
    "isMaskedArray isarray is_masked mean median ndim nonzero prod product ptp ravel shape size "
    "sort squeeze std sum unique var zeros_like ones_like empty_like asarray asanyarray array "
    "atleast_1d atleast_2d atleast_3d clump_masked clump_unmasked count_masked fix_invalid "
    "common_fill_value default_fill_value maximum_fill_value minimum_fill_value flatten_mask "
    "masked_invalid notmasked_contiguous notmasked_edges flatnotmasked_contiguous "
    "flatnotmasked_edges diag diagflat expand_dims vander transpose repeat resize reshape take "
    "corrcoef cov masked_all_like"
)
_ARGUMENTS_OF_ONE = {
    "expand_dims": ", 0",
    "repeat": ", 2",
    "resize": ", (2, 3)",
    "reshape": ", (3, 1)",
    "take": ", [0, 2]",
    "common_fill_value": ", np.ma.array([1.0])",
    "flatten_mask": ".mask",
}
_COMPARED = ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal")
EXPRESSIONS |= {f"ma.{n}": (f"np.ma.{n}({_MASKED}, B)",) for n in _TWO.split()}
EXPRESSIONS |= {f"ma.{n}": (f"np.ma.{n}(np.ma.array(I, mask=K), J)",) for n in _BITS.split()}
EXPRESSIONS |= {
    f"ma.{n}": (
        f"np.ma.{n}({_MASKED}{_ARGUMENTS_OF_ONE.get(n, '')})" + (".shape" if "empty" in n else ""),
    )
    for n in _ONE.split()
}
EXPRESSIONS |= {
    f"ma.{name}": (expression,)
    for name, expression in {
        "allclose": f"np.ma.allclose({_MASKED}, B)",
        "allequal": f"np.ma.allequal({_MASKED}, {_MASKED})",
        "append": f"np.ma.append({_MASKED}, B)",
        "apply_along_axis": f"np.ma.apply_along_axis(np.ma.sum, 0, {_SQUARE})",
        "apply_over_axes": f"np.ma.apply_over_axes(np.ma.sum, {_SQUARE}, [0])",
        "arange": "np.ma.arange(4)",
        "choose": "np.ma.choose([0, 1, 0], [A, B])",
        "clip": f"np.ma.clip({_MASKED}, 0, 1)",
        "column_stack": f"np.ma.column_stack([{_MASKED}, B])",
        "compress": f"np.ma.compress(K, {_MASKED})",
        "compress_cols": f"np.ma.compress_cols({_SQUARE})",
        "compress_nd": f"np.ma.compress_nd({_SQUARE})",
        "compress_rowcols": f"np.ma.compress_rowcols({_SQUARE})",
        "compress_rows": f"np.ma.compress_rows({_SQUARE})",
        "concatenate": f"np.ma.concatenate([{_MASKED}, B])",
        "convolve": f"np.ma.convolve({_MASKED}, B)",
        "correlate": f"np.ma.correlate({_MASKED}, B)",
        "diagonal": f"np.ma.diagonal({_SQUARE})",
        "dot": f"np.ma.dot({_SQUARE}, {_SQUARE})",
        "dstack": f"np.ma.dstack([{_MASKED}, B])",
        "empty": "np.ma.empty(2).shape",
        "flatten_structured_array": "np.ma.flatten_structured_array("
        "np.ma.array([(1, 2.5)], dtype='i4, f4'))",
        "MaskedArray": "np.ma.MaskedArray([1.5, 2.0], [0, 1]) * 2.0",
        "masked": "np.ma.array(A, mask=K)[0] is np.ma.masked",
        "masked_array": "np.ma.masked_array([1.5, 2.0], [0, 1])",
        "mr_": "np.ma.mr_[A, 0.5]",
        "mvoid": "np.ma.mvoid((1, 2), dtype='i4, i4').tolist()",
        "nomask": "np.ma.getmask(A) is np.ma.nomask",
        "frombuffer": "np.ma.frombuffer(b'ab', 'uint8')",
        "fromflex": "np.ma.fromflex(np.ma.array(A).toflex())",
        "fromfunction": "np.ma.fromfunction(lambda i: i * 2, (3,))",
        "harden_mask": f"np.ma.harden_mask({_MASKED})",
        "soften_mask": f"np.ma.soften_mask({_MASKED})",
        "hsplit": f"np.ma.hsplit({_SQUARE}, 2)",
        "hstack": f"np.ma.hstack([{_MASKED}, B])",
        "identity": "np.ma.identity(2)",
        "ids": f"len(np.ma.ids({_MASKED}))",
        "in1d": f"np.ma.in1d({_MASKED}, A)",
        "indices": "np.ma.indices((2, 2))",
        "inner": f"np.ma.inner({_MASKED}, B)",
        "innerproduct": f"np.ma.innerproduct({_MASKED}, B)",
        "intersect1d": "np.ma.intersect1d(I, J)",
        "is_mask": "np.ma.is_mask(np.ma.make_mask([1, 0]))",
        "isin": "np.ma.isin(I, J)",
        "make_mask": "np.ma.make_mask([0, 1, 1])",
        "make_mask_descr": "np.ma.make_mask_descr(np.dtype('i4, f4'))",
        "make_mask_none": "np.ma.make_mask_none(3)",
        "mask_cols": f"np.ma.mask_cols({_SQUARE})",
        "mask_rows": f"np.ma.mask_rows({_SQUARE})",
        "mask_rowcols": f"np.ma.mask_rowcols({_SQUARE})",
        "mask_or": "np.ma.mask_or(np.ma.make_mask([1, 0]), np.ma.make_mask([0, 1]))",
        "masked_all": "np.ma.masked_all((2, 2)).mask.tolist()",
        **{f"masked_{n}": f"np.ma.masked_{n}(A, 1.25)" for n in [*_COMPARED, "values", "object"]},
        "masked_inside": "np.ma.masked_inside(A, 0, 2)",
        "masked_outside": "np.ma.masked_outside(A, 0, 2)",
        "masked_where": "np.ma.masked_where(K, A)",
        "ndenumerate": f"[(i, float(v)) for i, v in np.ma.ndenumerate({_MASKED})]",
        "ones": "np.ma.ones((2,))",
        "zeros": "np.ma.zeros((2,))",
        "outer": f"np.ma.outer({_MASKED}, B)",
        "outerproduct": f"np.ma.outerproduct({_MASKED}, B)",
        "polyfit": f"np.ma.polyfit(A, {_MASKED}, 1)",
        "put": f"did(np.ma.put, {_MASKED}, [0], [9.0])",
        "putmask": f"did(np.ma.putmask, {_MASKED}, [True, False, False], 9.0)",
        "row_stack": f"np.ma.row_stack([{_MASKED}, B])",
        "vstack": f"np.ma.vstack([{_MASKED}, B])",
        "stack": f"np.ma.stack([{_MASKED}, B])",
        "set_fill_value": f"did(np.ma.set_fill_value, {_MASKED}, 3.0)",
        "setdiff1d": "np.ma.setdiff1d(I, J)",
        "setxor1d": "np.ma.setxor1d(I, J)",
        "swapaxes": f"np.ma.swapaxes({_SQUARE}, 0, 1)",
        "trace": f"np.ma.trace({_SQUARE})",
        "union1d": "np.ma.union1d(I, J)",
        "where": f"np.ma.where({_MASKED} > 0, A, B)",
    }.items()
}
