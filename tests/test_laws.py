"""Every law holds for every rule: adding a record to the table adds it to these tests."""

import numpy as np
import pytest
from calls import NAMES, RULES, calls, slopes

import tinygrad_slp as tg
from tinygrad_slp.rule import RULES as TABLE
from tinygrad_slp.rule import Each, Rule
from tinygrad_slp.rules import decompositions

every_rule = pytest.mark.parametrize("rule", RULES, ids=NAMES)
TOLERANCE = 1e-10


def weighted(call, seed=1):
    """The call as a function to one number: a fixed random combination of its outputs."""
    shape = np.shape(call(*call.arrays))
    v = np.random.default_rng(seed).normal(size=shape)
    return lambda *arrays: np.sum(v.astype(arrays[0].dtype) * call(*arrays))


def gradients(f, arrays):
    """Autodiff's gradients of a function to one number, for each array."""
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    f(*leaves).backward()
    return [x.grad.data for x in leaves]


def error(found, expected):
    """The largest deviation, on the scale of the expected values; absolute where they are all 0."""
    scale = np.max(np.abs(expected), initial=0)
    return np.max(np.abs(found - expected), initial=0) / (scale if scale > 1e-9 else 1)


def worst(call):
    """The largest error of autodiff's gradients of a call, against measured slopes."""
    f = weighted(call)
    found = gradients(f, call.arrays)
    return max(error(g, slopes(f, call.arrays, k)) for k, g in enumerate(found))


@every_rule
def test_a_tensor_gives_what_an_array_gives(rule):
    for call in calls(rule):
        expected = call(*call.arrays)
        result = call(*(tg.Tensor(x, requires_grad=True) for x in call.arrays))
        assert isinstance(result, tg.Tensor)
        assert result.shape == np.shape(expected)
        np.testing.assert_allclose(result.data, expected, rtol=1e-14, atol=1e-15)


@every_rule
@pytest.mark.parametrize("seed", [0, 1])
def test_vjp_is_the_measured_slope(rule, seed):
    for call in calls(rule, seed):
        assert call.arrays, f"{rule.name}: an example without arrays proves nothing"
        assert worst(call) < TOLERANCE, call


@every_rule
def test_jvp_is_the_transpose_of_vjp_and_the_form_is_true(rule):
    rng = np.random.default_rng(2)
    for call in calls(rule):
        y, pullback = tg.vjp(call, *call.arrays)
        v = rng.normal(size=np.shape(y))
        cotangents = pullback(v)
        for k, x in enumerate(call.arrays):
            tangents = [np.zeros_like(a) for a in call.arrays]
            tangents[k] = rng.normal(size=x.shape)
            _, forward = tg.jvp(call, call.arrays, tangents)
            assert np.shape(forward) == np.shape(y)
            assert error(np.sum(v * forward), np.sum(cotangents[k] * tangents[k])) < 1e-12, call


@every_rule
def test_second_derivative_is_the_slope_of_the_first(rule):
    for call in calls(rule):
        f = weighted(call)
        rng = np.random.default_rng(3)
        u = [rng.normal(size=x.shape) for x in call.arrays]

        def along(*arrays, f=f, u=u):
            """⟨∇f, u⟩: a function to one number, recorded or not."""
            g = tg.grad(f, range(len(arrays)))(*arrays)
            return sum(np.sum(a * b.astype(arrays[0].dtype)) for a, b in zip(g, u, strict=True))

        found = tg.grad(along, range(len(call.arrays)))(*call.arrays)
        for k, g in enumerate(found):
            assert error(g, slopes(along, call.arrays, k)) < TOLERANCE, call


@every_rule
def test_gradients_keep_dtype_and_shape_and_inputs_stay_as_they_are(rule):
    for call in calls(rule):
        for dtype in (np.float32, np.float64):
            arrays = [x.astype(dtype) for x in call.arrays]
            before = [x.copy() for x in arrays]
            for x in arrays:
                x.flags.writeable = False
            y, pullback = tg.vjp(call, *arrays)
            assert y.dtype == dtype or rule.name in ("cast", "np.float_power", "np.interp")
            _, tangent = tg.jvp(call, arrays, arrays)
            assert tangent.dtype == y.dtype
            for x, g, old in zip(arrays, pullback(np.ones_like(y)), before, strict=True):
                assert g.shape == x.shape
                assert g.dtype == dtype
                np.testing.assert_array_equal(x, old)


# A factor leaves the zero slope of a step function as it is; those are given an offset instead.
STEPS = {
    "np.sign", "side", "np.floor", "np.ceil", "np.trunc", "np.rint", "np.round", "np.floor_divide",
    "sign_of_det",
}  # fmt: skip


@every_rule
def test_under_no_grad_nothing_is_recorded(rule):
    for call in calls(rule):
        leaves = [tg.Tensor(x, requires_grad=True) for x in call.arrays]
        with tg.no_grad():
            y = call(*leaves)
        assert not y.requires_grad and y.function is None
        np.testing.assert_array_equal(y.data, call(*leaves).data)


@every_rule
def test_an_array_may_change_after_it_is_used(rule):
    for call in calls(rule):
        for k in range(len(call.arrays) if len(call.arrays) > 1 else 0):
            found = []
            for changed in (False, True):
                given = [tg.Tensor(x, requires_grad=True) for x in call.arrays]
                given[k] = call.arrays[k].copy()
                y = call(*given)
                given[k][...] = given[k] + 1 if changed else given[k]
                if y.requires_grad:  # another input than that has a gradient
                    y.backward(np.ones_like(y.data))
                given.pop(k)
                found.append([None if x.grad is None else x.grad.tolist() for x in given])
            assert found[0] == found[1]


@tg.differentiable(lambda g, y, x: g * (1 + 1e-6), form="elementwise", domain=tg.REAL)
def wrong_identity(x):
    """x, with a derivative whose factor is off by a millionth"""
    return x


WRONG = TABLE.pop(wrong_identity)  # no other test is to find it


def wrong(rule):
    """A copy of the rule whose derivative is off by a millionth."""
    copy = object.__new__(Rule)
    for slot in Rule.__slots__:
        setattr(copy, slot, getattr(rule, slot))
    offset = 1e-6 if rule.name in STEPS else 0
    off = lambda vjp: vjp and (lambda *args, **kw: vjp(*args, **kw) * (1 + 1e-6) + offset)
    if rule.definition is not None:
        copy.definition = lambda *args, **kwargs: spoilt(rule.definition(*args, **kwargs))
    elif isinstance(rule.vjps, Each):
        copy.vjps = Each(off(rule.vjps.vjp))
    else:
        copy.vjps = tuple(off(vjp) for vjp in rule.vjps)
    return copy


def spoilt(y):
    return (
        [wrong_identity(part) for part in y] if isinstance(y, list | tuple) else wrong_identity(y)
    )


@every_rule
def test_a_rule_off_by_a_millionth_is_caught(rule, monkeypatch):
    monkeypatch.setitem(TABLE, wrong_identity, WRONG)
    monkeypatch.setitem(TABLE, rule.function, wrong(rule))
    assert max(worst(call) for call in calls(rule)) > 1000 * TOLERANCE


# --- where a function is flat, and where it has a corner ---

STEP = 2.0**-12
STEEP = np.sqrt, np.log, np.reciprocal, lambda y: y**0.3, lambda y: np.arccos(1 - y)
quiet = np.errstate(all="ignore")


# Each element of a result depends on all of a matrix, so that ∞ and NaN come back everywhere.
COUPLED = {
    r.name for r in RULES if getattr(r.function, "__module__", "") == decompositions.__name__
}
COUPLED |= {
    f"np.linalg.{name}"
    for name in ("qr", "svd", "svdvals", "eigh", "eigvalsh", "cond", "det", "matrix_norm")
}


def corners(rule):
    """The example calls of a rule, with arrays of zeros, of ones, and of −1, 0, ½, 1 and 2; but for
    matrices that are refused, such as singular ones."""
    for call in calls(rule) if rule.name not in COUPLED else ():
        rng = np.random.default_rng(5)
        drawn = [[rng.choice([-1, 0, 0.5, 1, 2], x.shape) for x in call.arrays] for _ in range(3)]
        for arrays in (
            [np.zeros_like(x) for x in call.arrays], [np.ones_like(x) for x in call.arrays], *drawn
        ):  # fmt: skip
            try:
                y, pullback = tg.vjp(call, *arrays)
                pullback(np.ones_like(y))
            except (np.linalg.LinAlgError, ValueError, ZeroDivisionError):
                continue
            yield call, [np.array(x) for x in arrays]


def places(arrays):
    """Each element of each array, as (which array, index)."""
    return [(k, index) for k, x in enumerate(arrays) for index in np.ndindex(x.shape)]


def nearby(arrays, seed=0, k=None):
    """The arrays, each moved a little, but for array k."""
    rng = np.random.default_rng(seed)
    moved = [np.array(x + 8 * STEP * rng.uniform(-1, 1, x.shape)) for x in arrays]
    return [x if j == k else y for j, (x, y) in enumerate(zip(arrays, moved, strict=True))]


def moving(f, arrays, k, index, steps):
    """What a function gives when one element of one array is moved by these steps."""
    found = []
    for step in steps:
        moved = [x.copy() for x in arrays]
        moved[k][index] += step * STEP
        found.append(np.asarray(f(*moved)))
    return np.stack(found)


def is_flat(call, arrays, k, index):
    """Whether a call does not depend on an element, here and close to here."""
    for near in arrays, *(nearby(arrays, seed) for seed in range(4)):
        values = moving(call, near, k, index, (-1, 0, 1))
        if np.ptp(values, axis=0).any() or not np.isfinite(values).all():
            return False
    return True


@every_rule
@quiet
def test_what_is_flat_passes_nothing_back_whatever_comes(rule):
    """The gradient of √(f − f(here)), infinite outside, is 0 where f is flat, never 0·∞ = NaN."""
    for call, arrays in corners(rule):
        here, pullback = tg.vjp(call, *arrays)
        ones = pullback(np.ones_like(here))
        # Where elements tie, one of them may stand for all: a slope that is not 0 is another law's.
        flat = [(k, i) for k, i in places(arrays) if not ones[k][i] and is_flat(call, arrays, k, i)]
        if flat:
            shifted = lambda *xs, call=call, here=here: call(*xs) - here
            outer = lambda *xs, f=shifted: sum(np.sum(steep(f(*xs))) for steep in STEEP)
            infinite, undefined = (pullback(np.full_like(here, g)) for g in (np.inf, np.nan))
            for found in (infinite, undefined, tg.grad(outer, range(len(arrays)))(*arrays)):
                assert [found[k][i] for k, i in flat] == [0] * len(flat), (call, arrays)


@every_rule
@quiet
def test_what_is_flat_does_not_move_forward_and_does_not_bend(rule):
    """Along an element that f does not depend on, √(f − f(here)) and its gradient stay 0."""
    for call, arrays in corners(rule):
        here, pullback = tg.vjp(call, *arrays)
        ones = pullback(np.ones_like(here))
        shifted = lambda *xs, call=call, here=here: call(*xs) - here
        outer = lambda *xs, f=shifted: sum(np.sum(steep(f(*xs))) for steep in STEEP)
        slope = tg.grad(outer, range(len(arrays)))
        for k, i in places(arrays):
            if not ones[k][i] and is_flat(call, arrays, k, i):
                tangents = [np.zeros_like(x) for x in arrays]
                tangents[k][i] = 1
                moved = tg.jvp(outer, arrays, tangents)[1]
                # `side` has no slope at 0, where it is NaN whatever comes.
                has_none = rule.name == "side" and not np.all(arrays[k])
                assert moved == 0 or (has_none and np.isnan(moved)), (call, arrays, k, i)
                bend = tg.jvp(slope, arrays, tangents)[1][k][i]
                in_a_corner = rule.name == "np.linalg.norm" and not arrays[k][i]  # that of |x|
                is_nan = (in_a_corner or has_none) and np.isnan(bend)
                assert bend == 0 or is_nan, (call, arrays, k, i)


@every_rule
@quiet
def test_the_slope_0_of_a_kink_passes_nothing_back_whatever_comes(rule):
    for call, arrays in corners(rule):
        here, pullback = tg.vjp(call, *arrays)
        for k, i in places(arrays):
            below, y, above = moving(call, arrays, k, i, (-1, 0, 1))
            for j in np.argwhere(np.abs(below - 2 * y + above) > 0.1 * STEP):
                g = np.zeros_like(here)
                g[*j] = 1
                slopes = pullback(g)[k][i], tg.vjp(call, *nearby(arrays, k=k))[1](g)[k][i]
                if slopes == (0, 0):
                    g[*j] = np.inf
                    assert pullback(g)[k][i] == 0, (call, arrays, k, i)


@every_rule
@quiet
def test_second_derivatives_at_corners_are_right_or_nan(rule):
    """Those of f², which is smooth where f is a norm: with the slopes 0 of both it would be 0."""
    for call, arrays in corners(rule):
        f = lambda *xs, call=call: np.sum(np.square(call(*xs)))
        slopes = tg.grad(lambda *xs, call=call: np.sum(call(*xs)), range(len(arrays)))(*arrays)
        for k, i in places(arrays):
            below, above = moving(call, arrays, k, i, (-1, 1))
            if not abs(slopes[k][i] - np.sum(above - below) / (2 * STEP)) < 1e-3:
                continue  # one of several elements that tie stands for all
            curves = []
            for near in arrays, nearby(arrays, 0), nearby(arrays, 1):
                y = moving(f, near, k, i, range(-4, 5))
                curves += [*(y[:-2] - 2 * y[1:-1] + y[2:]) / STEP**2]
            if not np.ptp(curves) < 0.02 * (1 + abs(curves[0])):
                continue  # f² has a kink of its own
            tangents = [np.zeros_like(x) for x in arrays]
            tangents[k][i] = 1
            _, along = tg.jvp(tg.grad(f, range(len(arrays))), arrays, tangents)
            found = along[k][i]
            close = abs(found - curves[0]) < 0.05 * (1 + abs(found))
            assert close or np.isnan(found), (call, arrays, k, i, found, curves[0])
