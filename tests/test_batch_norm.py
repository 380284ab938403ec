"""Batch normalization against its twin, finite differences, and what must not change a bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import finitesum
from finitesum import _core, batch_norm, batch_norm_backward, population_statistics
from tests.reference import batch_norm as reference

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-12}
# Rows: short ones together, with some left over, and several blocks of them. Planes: one number,
# less than the lanes, some left over, several blocks.
SHAPES = [
    (2, 1),
    (7, 3),
    (150, 5),
    (9, 64),
    (33, 100),
    (3000, 37),
    (3, 4, 1),
    (2, 3, 2, 3),
    (3, 5, 7, 7),
    (1, 2, 150, 300),
    (5, 20, 32, 33),
]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def problem(shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 2.0, size=shape).astype(dtype)
    gamma = rng.normal(size=shape[1]).astype(dtype)
    beta = rng.normal(size=shape[1]).astype(dtype)
    return x, gamma, beta, rng.normal(size=shape).astype(dtype)


def scaled_close(found, wanted, tolerance):
    for a, b in zip(found, wanted, strict=True):
        assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max()))


@each_shape
@each_dtype
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("training", [True, False])
def test_agrees_with_the_twin(shape, dtype, relu, training):
    x, gamma, beta, dy = problem(shape, dtype)
    running = {
        "running_mean": np.linspace(0, 1, shape[1], dtype=dtype),
        "running_var": np.linspace(1, 2, shape[1], dtype=dtype),
    }
    before = [each.astype(float) for each in running.values()]
    y, cache = batch_norm(x, gamma, beta, relu=relu, training=training, n_threads=1, **running)
    found = batch_norm_backward(dy, cache)
    assert {each.dtype for each in (y, *found)} == {np.dtype(dtype)}

    x, gamma, beta, dy = (each.astype(float) for each in (x, gamma, beta, dy))
    statistics = reference.moments(x) if training else before
    parameters = (gamma, beta, *statistics, 1e-5, relu)
    scaled_close([cache.mean, cache.variance], statistics, 1e-12)
    scaled_close([y], [reference.forward(x, *parameters)], TOLERANCE[dtype])
    if relu:  # a rounding may move a number across the kink, where dy then counts or not
        smallest = np.abs(reference.forward(x, *parameters[:-1], False)).min()
        assert smallest > 1e-12 or dtype == np.float32
        dy = np.where((y > 0) == (reference.forward(x, *parameters) > 0), dy, np.nan)
        assert not np.isnan(dy).any()
    wanted = reference.backward(x, dy, *parameters, training)
    scaled_close(found, wanted, 10 * TOLERANCE[dtype])
    if training:
        m = x.size // shape[1]
        moved = [0.9 * before[0] + 0.1 * statistics[0]]
        moved += [0.9 * before[1] + 0.1 * m / (m - 1) * statistics[1]]
        scaled_close(running.values(), moved, TOLERANCE[dtype])
    else:
        assert_array_equal(list(running.values()), before)


@pytest.mark.parametrize("shape", [(7, 3), (9, 64), (2, 3, 2, 3), (3, 5, 7, 7)], ids=str)
def test_gradients_are_those_of_finite_differences(shape):
    x, gamma, beta, weight = problem(shape)
    rng = np.random.default_rng(1)
    for relu in (False, True):

        def objective(x, gamma, beta, relu=relu):
            return np.sum(weight * batch_norm(x, gamma, beta, relu=relu)[0])

        gradients = batch_norm_backward(weight, batch_norm(x, gamma, beta, relu=relu)[1])
        arguments = [x, gamma, beta]
        for k, gradient in enumerate(gradients):
            direction = rng.normal(size=gradient.shape)
            direction /= np.linalg.norm(direction)
            moved = [
                [
                    each + sign * 1e-6 * direction if i == k else each
                    for i, each in enumerate(arguments)
                ]
                for sign in (1, -1)
            ]
            slope = (objective(*moved[0]) - objective(*moved[1])) / 2e-6
            scale = max(1.0, np.linalg.norm(gradient))
            assert abs(slope - np.sum(gradient * direction)) < 1e-5 * scale


@each_dtype
@pytest.mark.parametrize("shape", [(65536, 3), (512, 200), (8, 3, 40, 40)], ids=str)
@pytest.mark.parametrize("first", [1e6, 0.0], ids=["like the rest", "an outlier"])
def test_a_mean_far_larger_than_the_deviation(shape, dtype, first):
    x = np.random.default_rng(0).normal(1e6, 1.0, size=shape).astype(dtype)
    x[0] = first
    y, cache = batch_norm(x, n_threads=1)
    rest = x.astype(float) - 1e6  # exact: NumPy's own sums of numbers near 1e6 are not as good
    mean, variance = reference.moments(rest)
    assert_allclose(cache.mean, 1e6 + mean, rtol=1e-14)
    assert_allclose(cache.variance, variance, rtol=1e-10)
    wanted = reference.forward(rest, np.ones(shape[1]), 0.0, mean, variance, 1e-5, False)
    scaled_close([y], [wanted], 2 * TOLERANCE[dtype] if dtype == np.float32 else 1e-9)


@each_shape
@each_dtype
@pytest.mark.parametrize("relu", [False, True])
def test_threads_and_instruction_sets_change_no_bit(shape, dtype, relu):
    x, gamma, beta, dy = problem(shape, dtype)

    def run(n_threads, isa):
        mean, variance = _core.batch_moments(x, n_threads, isa)
        y, dx = np.empty_like(x), np.empty_like(x)
        dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
        norm = (mean, variance, gamma, beta, 1e-5, relu)
        _core.batch_normalize(x, *norm, y, n_threads, isa)
        _core.batch_norm_gradients(x, dy, *norm, True, dx, dgamma, dbeta, n_threads, isa)
        return b"".join(a.tobytes() for a in (mean, variance, y, dx, dgamma, dbeta))

    wanted = run(1, "")
    for isa in _core.available_isas():
        assert run(1, isa) == wanted
    assert run(3, "") == wanted


LARGE = {np.float32: 1 << 21, np.float64: 1 << 20}  # numbers whose results pass the caches by


@each_dtype
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("rest", [(128,), (77,), (3,), (6, 9, 7), (2, 50, 41)], ids=str)
def test_results_past_the_caches_are_those_of_parts(rest, dtype, relu):
    n = LARGE[dtype] // int(np.prod(rest)) + 1
    x, gamma, beta, dy = problem((n + 1, *rest), dtype)
    x, dy = (a.ravel()[1 : n * a[0].size + 1].reshape(n, *rest) for a in (x, dy))  # no line's begin
    running = {"running_mean": beta, "running_var": gamma**2}
    given = {"relu": relu, "training": False, **running}
    part = n // 3  # small enough to stay
    cut = slice(part, 2 * part)
    for n_threads in (1, 2):
        y, cache = batch_norm(x, gamma, beta, n_threads=n_threads, **given)
        dx = batch_norm_backward(dy, cache)[0]
        part_y, part_cache = batch_norm(x[cut], gamma, beta, **given)
        assert_array_equal(y[cut], part_y)
        assert_array_equal(dx[cut], batch_norm_backward(dy[cut], part_cache)[0])
    _, cache = batch_norm(x, gamma, beta, relu=relu)
    dx = batch_norm_backward(dy, cache)[0]
    place = dy.copy()  # what is written where it was read does not pass the caches by
    assert_array_equal(batch_norm_backward(place, cache, out=place)[0], dx)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 40), st.integers(1, 70)),
    shift=st.floats(-1e3, 1e3),
    factor=st.floats(0.1, 1e3),
    seed=st.integers(0, 99),
)
def test_a_batch_comes_out_standardized_whatever_its_units(shape, shift, factor, seed):
    x = np.random.default_rng(seed).normal(size=shape)
    y, cache = batch_norm(x, eps=1e-300)
    assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    assert_allclose(y.std(axis=0), 1, rtol=1e-10)
    assert_allclose(batch_norm(factor * x + shift, eps=1e-300)[0], y, atol=1e-8)
    dx = batch_norm_backward(x[::-1].copy(), cache)[0]  # and no gradient along the units
    scale = np.abs(x).max() / np.sqrt(cache.variance.min())
    assert_allclose(dx.sum(axis=0), 0, atol=1e-10 * scale)
    assert_allclose((dx * y).sum(axis=0), 0, atol=1e-10 * scale)


def test_planes_are_rows_of_another_order():
    x, gamma, beta, dy = problem((6, 5, 4, 4))
    y, cache = batch_norm(x, gamma, beta, relu=True)
    dx, *others = batch_norm_backward(dy, cache)
    rows, row_cache = batch_norm(np.moveaxis(x, 1, -1).reshape(-1, 5), gamma, beta, relu=True)
    row_dx, *row_others = batch_norm_backward(np.moveaxis(dy, 1, -1).reshape(-1, 5), row_cache)
    for found, wanted in ((rows, y), (row_dx, dx)):
        assert_allclose(found, np.moveaxis(wanted, 1, -1).reshape(-1, 5), atol=1e-13)
    scaled_close(row_others, others, 1e-13)


def test_gamma_and_beta_are_one_and_zero_by_default():
    x, _, _, dy = problem((9, 4))
    y, cache = batch_norm(x)
    explicit, explicit_cache = batch_norm(x, np.ones(4), np.zeros(4))
    assert_array_equal(y, explicit)
    for found, wanted in zip(
        batch_norm_backward(dy, cache), batch_norm_backward(dy, explicit_cache), strict=True
    ):
        assert_array_equal(found, wanted)


def test_deviation_and_mean_as_gamma_and_beta_give_x_back():
    x = problem((50, 6))[0]
    gamma, beta = np.sqrt(x.var(axis=0) + 1e-5), x.mean(axis=0)
    assert_allclose(batch_norm(x, gamma, beta)[0], x, atol=1e-13)


@each_shape
def test_constant_channels_become_beta(shape):
    x, gamma, beta, dy = problem(shape)
    x[:] = 1e300
    y, cache = batch_norm(x, gamma, beta, n_threads=1)
    assert_array_equal(y, np.broadcast_to(reference.over_channels(x)[1](beta), shape))
    assert_array_equal(cache.variance, 0)
    assert np.isfinite(batch_norm_backward(dy, cache)[0]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(12, 3), (4, 3, 5, 5)], ids=str)
def test_what_is_not_finite_stays_in_its_channel(shape, bad):
    x, gamma, beta, dy = problem(shape)
    clean = batch_norm(x, gamma, beta, relu=True)[0]
    x[1, 2] = bad
    y, cache = batch_norm(x, gamma, beta, relu=True)
    dx = batch_norm_backward(dy, cache)[0]
    assert np.isnan(y[:, 2]).all()
    assert np.isnan(dx[:, 2]).all()
    assert_array_equal(y[:, :2], clean[:, :2])
    assert np.isfinite(dx[:, :2]).all()


def test_out_is_filled_and_nothing_else_is_changed():
    arrays = problem((8, 5, 3, 3), np.float32)
    for each in arrays:
        each.flags.writeable = False
    x, gamma, beta, dy = arrays
    out = np.full_like(x, np.nan)
    y, cache = batch_norm(x, gamma, beta, out=out)
    assert y is out
    assert cache.x is x
    assert_array_equal(y, batch_norm(x, gamma, beta)[0])
    batch_norm_backward(dy, cache)


@each_dtype
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(33, 100), (3, 5, 7, 7)], ids=str)
def test_gradients_go_where_they_are_asked_for(shape, dtype, relu):
    x, gamma, beta, dy = problem(shape, dtype)
    cache = batch_norm(x, gamma, beta, relu=relu)[1]
    wanted = batch_norm_backward(dy, cache)
    out = np.full_like(x, np.nan)
    found = batch_norm_backward(dy, cache, out=out)
    assert found[0] is out
    in_place = batch_norm_backward(dy, cache, out=dy)
    assert in_place[0] is dy
    for each in (found, in_place):
        for a, b in zip(each, wanted, strict=True):
            assert_array_equal(a, b)


def test_gradients_do_not_overwrite_what_they_read():
    x, gamma, beta, dy = problem((8, 3))
    cache = batch_norm(x, gamma, beta)[1]
    both = np.zeros((9, 3))
    both[:8] = dy
    fixed = np.zeros((8, 3))
    fixed.flags.writeable = False
    for out, message in (
        (x, "out must not overlap x"),
        (np.zeros((3, 8)), r"out must have the shape \(8, 3\)"),
        (fixed, "out must be writeable"),
    ):
        with pytest.raises(ValueError, match=message):
            batch_norm_backward(dy, cache, out=out)
    with pytest.raises(ValueError, match="out must not overlap dy"):
        batch_norm_backward(both[:8], cache, out=both[1:])


@each_dtype
@pytest.mark.parametrize("shape", [(65536, 3), (512, 200), (8, 3, 40, 40)], ids=str)
def test_gradients_where_the_mean_is_far_larger_than_the_deviation(shape, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(1e6, 1.0, size=shape).astype(dtype)
    dy = rng.normal(1.0, 1.0, size=shape).astype(dtype)
    found = batch_norm_backward(dy, batch_norm(x, n_threads=1)[1])
    rest = x.astype(float) - 1e6
    statistics = reference.moments(rest)
    ones = np.ones(shape[1])
    wanted = reference.backward(
        rest, dy.astype(float), ones, 0 * ones, *statistics, 1e-5, False, True
    )
    # the mean itself is rounded to 1e-10, as often as there are numbers in a channel
    scaled_close(found, wanted, 10 * TOLERANCE[dtype] if dtype == np.float32 else 1e-7)


def test_population_statistics_are_unbiased():
    """Over all batches of three rows, drawn with replacement from five, with a shorter last one."""
    values = np.array([0.0, 1.0, 3.0, 7.0, 20.0])
    threes = np.stack(np.meshgrid(values, values, values), -1).reshape(-1, 3)
    twos = np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)
    for batches in (threes, twos):
        mean, variance = population_statistics(
            batches.mean(1)[:, None], batches.var(1)[:, None], batches.shape[1]
        )
        assert_allclose([mean[0], variance[0]], [values.mean(), values.var()], rtol=1e-13)
    means = [threes.mean(), twos.mean()]
    variances = [threes.var(1).mean(), twos.var(1).mean()]
    found = population_statistics(np.c_[means], np.c_[variances], [3, 2])
    assert_allclose(np.ravel(found), [values.mean(), values.var()], rtol=1e-13)


X = np.ones((4, 3))


@pytest.mark.parametrize(
    ("x", "keywords", "message"),
    [
        (X.tolist(), {}, "x must be an array of float32 or float64"),
        (X.astype(int), {}, "x must be an array of float32 or float64"),
        (X.astype(np.float16), {}, "x must be an array of float32 or float64"),
        (X.astype(">f8"), {}, "x must be an array of float32 or float64"),
        (np.asfortranarray(X), {}, "x must be C-contiguous"),
        (X[:, :2], {}, "x must be C-contiguous"),
        (np.ones(4), {}, r"x must have the shape \(n_samples, n_channels, ...\)"),
        (np.ones((0, 3)), {}, "without zeros"),
        (np.ones((3, 0)), {}, "without zeros"),
        (np.ones((1, 3)), {}, "more than one number per channel in training"),
        (np.ones((1, 3, 1, 1)), {}, "more than one number per channel in training"),
        (X, {"gamma": np.ones(4)}, r"gamma must have the shape \(3,\) and the dtype float64 of x"),
        (X, {"beta": np.ones(3, np.float32)}, r"got \(3,\) float32"),
        (X, {"gamma": [1.0, 1.0, 1.0]}, "gamma must be an array"),
        (X, {"gamma": np.ones(6)[::2]}, "gamma must be C-contiguous"),
        (X, {"running_mean": np.ones(3)}, "must be given together"),
        (X, {"running_mean": np.ones(2), "running_var": np.ones(2)}, "running_mean must have"),
        (X, {"training": False}, "are needed if training is False"),
        (X, {"eps": 0.0}, "eps must be positive and finite, got 0.0"),
        (X, {"eps": np.nan}, "eps must be positive and finite"),
        (X, {"momentum": 1.5}, "momentum must be between 0 and 1, got 1.5"),
        (X, {"momentum": np.nan}, "momentum must be between 0 and 1"),
        (X, {"n_threads": 0}, "n_threads must be at least 1, got 0"),
        (X, {"out": X}, "out must not overlap x"),
        (X, {"out": np.ones((3, 4))}, r"out must have the shape \(4, 3\)"),
        (X, {"out": np.broadcast_to(1.0, (1, 1))}, "out must have the shape"),
    ],
)
def test_bad_arguments_are_refused(x, keywords, message):
    with pytest.raises(ValueError, match=message):
        batch_norm(x, **keywords)


def test_what_is_changed_must_be_writeable():
    fixed = np.ones(3)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="running_var must be writeable"):
        batch_norm(X, running_mean=np.ones(3), running_var=fixed)
    batch_norm(X, running_mean=fixed, running_var=fixed, training=False)
    out = np.ones((4, 3))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        batch_norm(X, out=out)


@pytest.mark.parametrize(
    "dy", [np.ones((3, 4)), np.ones((4, 3), np.float32), np.ones((4, 6))[:, ::2]]
)
def test_other_gradients_are_refused(dy):
    with pytest.raises(ValueError, match="dy must"):
        batch_norm_backward(dy, batch_norm(X)[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0], 2), "must have the same shape"),
        (([[1.0]], [[1.0, 2.0]], 2), "must have the same shape"),
        ((np.ones((0, 2)), np.ones((0, 2)), 2), "must have the same shape"),
        (([[1.0]], [[1.0]], 1), "sizes must be at least 2"),
        (([[1.0]], [[1.0]], np.nan), "sizes must be at least 2"),
        (([[1.0]], [[1.0]], [2, 3]), r"sizes must have the shape \(1,\), got \(2,\)"),
    ],
)
def test_bad_population_statistics_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        population_statistics(*arguments)


def test_the_names_are_public():
    names = {"BatchNormCache", "batch_norm", "batch_norm_backward", "population_statistics"}
    assert names <= set(finitesum.__all__)
