"""Every kernel on every instruction set: close to NumPy, and the same bits as on the lowest set."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from finitesum import _core

ISAS = _core.available_isas()
LENGTHS = [0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 1000]
DTYPES = [np.float32, np.float64]
INDEX_DTYPES = [np.int32, np.int64]
LOSSES = [(name, parameter) for name in _core.loss_names() for parameter in (1.0, 0.3)]

each_isa = pytest.mark.parametrize("isa", ISAS)
each_length = pytest.mark.parametrize("n", LENGTHS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_loss = pytest.mark.parametrize(("loss", "parameter"), LOSSES)


def normal(n, seed, dtype=np.float64):
    return np.random.default_rng([seed, n]).normal(size=n).astype(dtype)


def on(isa, kernel, *arguments):
    """Result of one kernel on copies of the arguments, with the arrays that it changed in place."""
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    result = getattr(_core.kernels(isa), kernel)(*copies)
    changed = [
        copy
        for copy, original in zip(copies, arguments, strict=True)
        if isinstance(copy, np.ndarray) and copy.tobytes() != original.tobytes()
    ]
    return [result, *changed] if result is not None else changed


def assert_same_bits_as_lowest(isa, kernel, *arguments):
    lowest = on(ISAS[0], kernel, *arguments)
    here = on(isa, kernel, *arguments)
    assert len(lowest) == len(here)
    for expected, actual in zip(lowest, here, strict=True):
        assert np.asarray(actual).tobytes() == np.asarray(expected).tobytes()


def targets_for(loss, n):
    y = normal(n, 2)
    return {
        "real": y,
        "sign": np.where(y < 0, -1.0, 1.0),
        "nonnegative": np.floor(np.abs(3 * y)),
    }[_core.loss_target_domain(loss)]


@each_isa
@each_dtype
@each_length
def test_dense_sums(isa, dtype, n):
    x, w = normal(n, 0, dtype), normal(n, 1)
    kernels = _core.kernels(isa)
    scale = np.sum(np.abs(x.astype(float) * w))
    assert kernels.dense_dot(x, w) == pytest.approx(x.astype(float) @ w, abs=1e-15 * scale)
    assert kernels.squared_norm(x) == pytest.approx(np.sum(x.astype(float) ** 2), rel=1e-14)
    assert_same_bits_as_lowest(isa, "dense_dot", x, w)
    assert_same_bits_as_lowest(isa, "squared_norm", x)


def test_sums_follow_the_documented_order():
    """Sixteen lanes, an incomplete last group to the last of them, added by halves: the order is
    part of the contract, not an accident."""
    x, w = normal(1000, 0), normal(1000, 1)
    lanes = np.zeros(16)
    for i, product in enumerate(x * w):
        lanes[i % 16 if i < 992 else i - 984] += product
    eight = lanes[:8] + lanes[8:]
    four = eight[:4] + eight[4:]
    expected = (four[0] + four[2]) + (four[1] + four[3])
    for isa in ISAS:
        assert _core.kernels(isa).dense_dot(x, w) == expected


@each_isa
@each_dtype
@each_length
def test_dense_axpy(isa, dtype, n):
    x, w = normal(n, 0, dtype), normal(n, 1)
    expected = w + 0.7 * x.astype(float)
    actual = w.copy()
    _core.kernels(isa).dense_axpy(0.7, x, actual)
    assert_array_equal(actual, expected)  # each element is rounded alone, as NumPy does
    assert_same_bits_as_lowest(isa, "dense_axpy", 0.7, x, w)


@each_isa
@each_dtype
@each_length
def test_dense_axpy_squares(isa, dtype, n):
    x, w = normal(n, 0, dtype), normal(n, 1)
    actual = w.copy()
    _core.kernels(isa).dense_axpy_squares(0.7, x, actual)
    assert_array_equal(actual, w + 0.7 * x.astype(float) ** 2)


@each_isa
@each_dtype
@each_length
def test_packed_rows_are_strips_of_eight(isa, dtype, n):
    x, strips = normal(n, 0, dtype), np.full(-(-n // 8) * 8, 7.0)
    _core.kernels(isa).pack_row(0.3, x, strips)
    assert_array_equal(strips[:n], 0.3 * x.astype(float))
    assert np.all(strips[n:] == 7)


@each_isa
@pytest.mark.parametrize("n", [0, 1, 2, 255, 256])
def test_products_of_strips(isa, n):
    a, b = normal(8 * n, 0), normal(8 * n, 1)
    expected = np.zeros((8, 8))
    for i in range(n):  # each entry in the order of the rows
        expected += np.outer(a[8 * i :][:8], b[8 * i :][:8])
    out = np.full(64, np.nan)
    _core.kernels(isa).multiply_strips(a, b, out)
    assert_array_equal(out.reshape(8, 8), expected)


@each_isa
@each_dtype
@each_length
@pytest.mark.parametrize("kernel", ["dense_step", "dense_step_l1"])
def test_dense_step(isa, dtype, n, kernel):
    x, w, d = normal(n, 0, dtype), normal(n, 1), normal(n, 2)
    direction, fresh, change, threshold, shrink = 0.3, -0.2, 0.11, 0.4, 0.97
    moved = w - direction * d - fresh * x.astype(float)
    if kernel == "dense_step_l1":
        moved = np.maximum(moved - threshold, 0) + np.minimum(moved + threshold, 0)
        assert n < 15 or np.count_nonzero(moved == 0) > 0
    actual_w, actual_d = w.copy(), d.copy()
    coefficients = (direction, fresh, change, threshold, shrink)
    getattr(_core.kernels(isa), kernel)(x, actual_w, actual_d, *coefficients)
    assert_array_equal(actual_w, shrink * moved)
    assert_array_equal(actual_d, d + change * x.astype(float))
    assert_same_bits_as_lowest(isa, kernel, x, w, d, *coefficients)


@each_isa
@each_dtype
@each_length
def test_scaled_dense_sums(isa, dtype, n):
    x, w, centers, factors = normal(n, 0, dtype), normal(n, 1), normal(n, 2), np.exp(normal(n, 3))
    kernels = _core.kernels(isa)
    centered = x.astype(float) - centers
    scale = np.sum(np.abs(centered * w))
    assert kernels.centered_dot(x, centers, w) == pytest.approx(centered @ w, abs=1e-15 * scale)
    norm = kernels.scaled_squared_norm(x, centers, factors)
    assert norm == pytest.approx(np.sum(factors * centered**2), rel=1e-14)
    assert_same_bits_as_lowest(isa, "centered_dot", x, centers, w)
    assert_same_bits_as_lowest(isa, "scaled_squared_norm", x, centers, factors)


@each_isa
@each_dtype
@each_length
@pytest.mark.parametrize("kernel", ["scaled_step", "scaled_step_l1"])
def test_scaled_dense_step(isa, dtype, n, kernel):
    x, w, d = normal(n, 0, dtype), normal(n, 1), normal(n, 2)
    centers, factors = normal(n, 3), np.exp(normal(n, 4))
    direction, fresh, change, threshold, decay, base = 0.3, -0.2, 0.11, 0.4, 0.07, 1.3
    centered = x.astype(float) - centers
    moved = w - factors * (direction * d + fresh * centered)
    if kernel == "scaled_step_l1":
        limit = factors * threshold
        moved = np.maximum(moved - limit, 0) + np.minimum(moved + limit, 0)
        assert n < 15 or np.count_nonzero(moved == 0) > 0
    actual_w, actual_d = w.copy(), d.copy()
    coefficients = (centers, factors, direction, fresh, change, threshold, decay, base)
    getattr(_core.kernels(isa), kernel)(x, actual_w, actual_d, *coefficients)
    assert_array_equal(actual_w, moved / (base + factors * decay))
    assert_array_equal(actual_d, d + change * centered)
    assert_same_bits_as_lowest(isa, kernel, x, w, d, *coefficients)


@each_isa
@each_dtype
@pytest.mark.parametrize("index_dtype", INDEX_DTYPES)
@each_length
def test_sparse(isa, dtype, index_dtype, n):
    values, w = normal(n, 0, dtype), normal(3 * n + 1, 1)
    indices = np.random.default_rng(n).permutation(w.size)[:n].astype(index_dtype)
    exact = values.astype(float)
    scale = np.sum(np.abs(exact * w[indices]))
    dot = _core.kernels(isa).sparse_dot(values, indices, w)
    assert dot == pytest.approx(exact @ w[indices], abs=1e-15 * scale)
    actual, expected = w.copy(), w.copy()
    expected[indices] += 0.7 * exact
    _core.kernels(isa).sparse_axpy(0.7, values, indices, actual)
    assert_array_equal(actual, expected)
    assert_same_bits_as_lowest(isa, "sparse_dot", values, indices, w)
    assert_same_bits_as_lowest(isa, "sparse_axpy", 0.7, values, indices, w)


@each_isa
@each_loss
@each_length
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_value_sum(isa, loss, parameter, n, weighted):
    z, y = 3 * normal(n, 0), targets_for(loss, n)
    s = np.abs(normal(n, 3)) if weighted else None
    terms = _core.loss_value(loss, parameter, z, y) * (1.0 if s is None else s)
    actual = _core.kernels(isa).value_sum(loss, parameter, z, y, s)
    assert actual == pytest.approx(terms.sum(), rel=1e-13, abs=1e-14)
    assert_same_bits_as_lowest(isa, "value_sum", loss, parameter, z, y, s)


@each_isa
@each_loss
@each_length
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_conjugate_sum(isa, loss, parameter, n, weighted):
    y = targets_for(loss, n)
    u = _core.loss_derivative(loss, parameter, 3 * normal(n, 0), y)
    s = np.abs(normal(n, 3)) if weighted else None
    terms = _core.loss_conjugate(loss, parameter, 0.8 * u, y) * (1.0 if s is None else s)
    assert np.all(np.isfinite(terms))
    actual = _core.kernels(isa).conjugate_sum(loss, parameter, 0.8, u, y, s)
    assert actual == pytest.approx(terms.sum(), rel=1e-12, abs=1e-12)
    assert_same_bits_as_lowest(isa, "conjugate_sum", loss, parameter, 0.8, u, y, s)


@each_isa
@each_loss
@each_length
@pytest.mark.parametrize("scalar", ["derivative", "curvature"])
def test_loss_elementwise(isa, loss, parameter, n, scalar):
    z, y = 3 * normal(n, 0), targets_for(loss, n)
    actual = getattr(_core.kernels(isa), f"{scalar}s")(loss, parameter, z, y)
    expected = getattr(_core, f"loss_{scalar}")(loss, parameter, z, y)
    assert_array_equal(actual, expected)  # vectorized and scalar code round alike
    assert_same_bits_as_lowest(isa, f"{scalar}s", loss, parameter, z, y)


@each_isa
def test_conjugate_sum_outside_the_domain_is_infinite(isa):
    u, y = np.full(20, 0.5), np.ones(20)  # a margin loss's derivative at y = 1 is never positive
    for loss in ("logistic", "squared_hinge", "smoothed_hinge"):
        assert _core.kernels(isa).conjugate_sum(loss, 1.0, 1.0, u, y, None) == np.inf


@each_isa
def test_nan_is_not_lost(isa):
    kernels = _core.kernels(isa)
    x, w, d = np.ones(40), np.ones(40), np.zeros(40)
    w[33] = np.nan
    assert np.isnan(kernels.dense_dot(x, w))
    kernels.dense_step_l1(x, w, d, 1.0, 0.1, 0.1, 0.2, 1.0)
    assert np.flatnonzero(np.isnan(w)).tolist() == [33]
    for loss in _core.loss_names():
        assert np.isnan(kernels.value_sum(loss, 1.0, w, x, None))
        assert np.isnan(kernels.derivatives(loss, 1.0, w, x)[33])
        assert np.isnan(kernels.conjugate_sum(loss, 1.0, 1.0, w, x, None)) or loss in (
            "logistic",
            "squared_hinge",
            "smoothed_hinge",
        )


@pytest.mark.parametrize(
    ("function", "reference", "tolerance"),
    [
        ("math_exp", np.exp, 4e-16),
        ("math_log", np.log, 1e-15),
        ("math_log1p", np.log1p, 1e-15),
        ("math_expm1_of_negative", np.expm1, 1e-15),
    ],
)
def test_elementary_functions(function, reference, tolerance):
    """Relative error against extended precision, over the whole range of arguments."""
    rng = np.random.default_rng(0)
    magnitude = 10.0 ** rng.uniform(-300, 300, 20000)
    small = rng.uniform(-0.999, 2, 20000)
    x = {
        "math_exp": np.concatenate([rng.uniform(-708, 709.7, 20000), small, -magnitude[:9] * 0]),
        "math_log": np.concatenate([magnitude, 1 + 1e-3 * small, np.abs(small)]),
        "math_log1p": np.concatenate([magnitude, small, 1e-9 * small, -1 + 1e-12 * magnitude[:1]]),
        "math_expm1_of_negative": -np.concatenate([rng.uniform(0, 60, 20000), np.abs(small)]),
    }[function]
    exact = reference(x.astype(np.longdouble))
    actual = getattr(_core, function)(x)
    if np.finfo(np.longdouble).eps > 1e-18:
        tolerance *= 2  # no extended precision here: the reference errs as well
    assert_allclose(actual.astype(np.longdouble), exact, rtol=tolerance, atol=0)


def test_elementary_functions_at_the_edges():
    inf, nan, tiny = np.inf, np.nan, 5e-324
    x = np.array([-inf, -800, -745, 0, 800, inf, nan])
    assert_array_equal(_core.math_exp(x), [0, 0, tiny, 1, inf, inf, nan])
    x = np.array([-inf, -1, -0.0, 0, 1, inf, nan])
    assert_array_equal(_core.math_log(x), [nan, nan, -inf, -inf, 0, inf, nan])
    assert _core.math_log(np.array([tiny]))[0] == pytest.approx(-1074 * np.log(2), rel=1e-15)
    largest = np.array([1.2e308, 1.3e308, np.finfo(float).max])
    assert_allclose(_core.math_log(largest), np.log(largest), rtol=1e-15)
    assert_allclose(_core.math_log1p(largest), np.log(largest), rtol=1e-15)
    x = np.array([-inf, -2, -1, 0, inf, nan])
    assert_array_equal(_core.math_log1p(x), [nan, nan, -inf, 0, inf, nan])
    assert_array_equal(_core.math_log1p(np.array([tiny, -tiny])), [tiny, -tiny])
    assert_array_equal(
        _core.math_expm1_of_negative(np.array([-inf, -800, 0, nan])), [-1, -1, 0, nan]
    )


def test_kernels_refuse_what_would_be_read_out_of_bounds():
    kernels = _core.kernels(ISAS[0])
    with pytest.raises(ValueError, match="same length"):
        kernels.dense_dot(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="out of range"):
        kernels.sparse_dot(np.ones(1), np.array([2], dtype=np.int32), np.ones(2))
    with pytest.raises(TypeError):
        kernels.dense_dot(np.ones(3, dtype=int), np.ones(3))
