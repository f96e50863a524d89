"""Numbers that books, papers and R print, reproduced to their printed digits."""

import itertools
import math

import numpy as np
import pytest
from redrawing import redrawn_p
from scipy import stats

from eegsleep.statistics import circular, effects, groups, mixed_model, multiplicity, resampling

DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
MAIZE_EIGHTHS = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
SLEEPSTUDY = np.array(
    [
        [249.56, 258.7047, 250.8006, 321.4398, 356.8519, 414.6901, 382.2038, 290.1486, 430.5853, 466.3535],
        [222.7339, 205.2658, 202.9778, 204.707, 207.7161, 215.9618, 213.6303, 217.7272, 224.2957, 237.3142],
        [199.0539, 194.3322, 234.32, 232.8416, 229.3074, 220.4579, 235.4208, 255.7511, 261.0125, 247.5153],
        [321.5426, 300.4002, 283.8565, 285.133, 285.7973, 297.5855, 280.2396, 318.2613, 305.3495, 354.0487],
        [287.6079, 285, 301.8206, 320.1153, 316.2773, 293.3187, 290.075, 334.8177, 293.7469, 371.5811],
        [234.8606, 242.8118, 272.9613, 309.7688, 317.4629, 309.9976, 454.1619, 346.8311, 330.3003, 253.8644],
        [283.8424, 289.555, 276.7693, 299.8097, 297.171, 338.1665, 332.0265, 348.8399, 333.36, 362.0428],
        [265.4731, 276.2012, 243.3647, 254.6723, 279.0244, 284.1912, 305.5248, 331.5229, 335.7469, 377.299],
        [241.6083, 273.9472, 254.4907, 270.8021, 251.4519, 254.6362, 245.4523, 235.311, 235.7541, 237.2466],
        [312.3666, 313.8058, 291.6112, 346.1222, 365.7324, 391.8385, 404.2601, 416.6923, 455.8643, 458.9167],
        [236.1032, 230.3167, 238.9256, 254.922, 250.7103, 269.7744, 281.5648, 308.102, 336.2806, 351.6451],
        [256.2968, 243.4543, 256.2046, 255.5271, 268.9165, 329.7247, 379.4445, 362.9184, 394.4872, 389.0527],
        [250.5265, 300.0576, 269.8939, 280.5891, 271.8274, 304.6336, 287.7466, 266.5955, 321.5418, 347.5655],
        [221.6771, 298.1939, 326.8785, 346.8555, 348.7402, 352.8287, 354.4266, 360.4326, 375.6406, 388.5417],
        [271.9235, 268.4369, 257.2424, 277.6566, 314.8222, 317.2135, 298.1353, 348.1229, 340.28, 366.5131],
        [225.264, 234.5235, 238.9008, 240.473, 267.5373, 344.1937, 281.1481, 347.5855, 365.163, 372.2288],
        [269.8804, 272.4428, 277.8989, 281.7895, 279.1705, 284.512, 259.2658, 304.6306, 350.7807, 369.4692],
        [269.4117, 273.474, 297.5968, 310.6316, 287.1726, 329.6076, 334.4818, 343.2199, 369.1417, 364.1236],
    ]
)


def _printed(value, text):
    """Whether `value` rounds to what is printed, digit by digit."""
    digits = len(text.partition(".")[2])
    return f"{value:.{digits}f}".lstrip("-0") == text.lstrip("-0") and (value < 0) == text.startswith("-")


def _pairs(n_pairs):
    """Return every schedule of pairs, the second condition first or last in each."""
    orders = np.array(list(itertools.product((True, False), repeat=n_pairs)))
    return np.stack([orders, ~orders], axis=2).reshape(len(orders), -1)


def _paired(first, second):
    """Return values, the schedule followed and the covariates of pairs: first, second, first, second ..."""
    values = np.column_stack([first, second]).ravel().astype(float)
    assigned = np.tile([False, True], len(first))
    return values, assigned, np.repeat(np.eye(len(first)), 2, axis=0)


def test_students_sleep_data_by_t():
    values, assigned, pairs = _paired(DRUG_2, DRUG_1)
    paired = effects.adjusted_t(values, assigned, pairs)
    assert _printed(paired.t, "-4.0621")
    assert paired.df == 9
    assert _printed(paired.p, "0.002833")
    assert _printed(paired.estimate, "-1.58")
    assert _printed(paired.low, "-2.4598858")
    assert _printed(paired.high, "-0.7001142")
    welch = groups.compare_subject_means(values, assigned, np.arange(20), "between")
    assert _printed(welch.t, "-1.8608")
    assert _printed(welch.df, "17.776")
    assert _printed(welch.p, "0.07939")
    assert _printed(welch.low, "-3.3654832")
    assert _printed(welch.high, "0.2054832")
    pooled = effects.adjusted_t(values, assigned, None)
    assert pooled.df == 18
    assert _printed(pooled.p, "0.07919")
    assert _printed(pooled.low, "-3.363874")
    assert _printed(pooled.high, "0.203874")


def test_students_sleep_data_by_every_order_of_the_pairs():
    values, assigned, pairs = _paired(DRUG_2, DRUG_1)
    p = redrawn_p(values, assigned, _pairs(10), complete=True, covariates=pairs)
    assert p[0] == 4 / 1024
    assert p[0] == 0.00390625


def test_students_sleep_data_by_mixed_model():
    y, z = np.array(DRUG_1 + DRUG_2), np.repeat([0.0, 1.0], 10)
    model = mixed_model.fit_mixed_model(y, np.column_stack([np.ones(20), z]), np.tile(np.arange(10), 2))
    assert _printed(model.criterion, "69.95588")
    assert _printed(model.random_covariance[0, 0], "2.8483")
    assert _printed(model.residual_variance, "0.7564")
    assert _printed(model.beta[1], "1.5800")
    assert _printed(model.se[1], "0.3890")
    assert _printed(model.criterion, "70.0")
    assert _printed(model.beta[0], "0.75")
    assert _printed(model.se[0], "0.6004")
    for method in ("kenward-roger", "satterthwaite"):
        found = mixed_model.estimate_contrast(model, [0, 1], method)
        assert _printed(found.df, "9.000")
        assert _printed(found.t, "4.062")
        assert _printed(found.p, "0.0028329")


def test_students_sleep_data_sizes_of_effect():
    first, second = np.array(DRUG_2), np.array(DRUG_1)
    assert _printed(second.std(ddof=1), "1.78901")
    assert _printed(first.std(ddof=1), "2.00225")
    assert _printed(np.corrcoef(first, second)[0, 1], "0.79517")
    assert _printed(effects.small_sample_factor(9), "0.913875")
    g = effects.hedges_g_av(first, second, df=9)
    assert _printed(g, "-0.76171")
    assert _printed(g / effects.small_sample_factor(9), "-0.83350")


def test_darwins_maize_is_twice_fishers_863_of_32768():
    values, assigned, pairs = _paired(np.zeros(15), MAIZE_EIGHTHS)
    assert MAIZE_EIGHTHS.sum() == 314
    sums = np.where(_pairs(15)[:, 1::2], 1, -1) @ MAIZE_EIGHTHS
    assert ((sums > 314).sum(), (sums == 314).sum()) == (835, 28)
    two_sided = redrawn_p(values, assigned, _pairs(15), complete=True, covariates=pairs)
    assert round(two_sided[0] * 32768) == 2 * 863
    assert _printed(two_sided[0], "0.0526733")
    paired = effects.adjusted_t(values, assigned, pairs)
    assert _printed(paired.t, "2.148")
    assert paired.df == 14
    assert _printed(paired.p, "0.0497")
    cross = [23.5, 12, 21, 22, 19.125, 21.5, 22.125, 20.375, 18.25, 21.625, 23.25, 21, 22.125, 23, 12]
    selfed = [17.375, 20.375, 20, 20, 18.375, 18.625, 18.625, 15.25, 16.5, 18, 16.25, 18, 12.75, 15.5, 18]
    np.testing.assert_array_equal(8 * (np.array(cross) - np.array(selfed)), MAIZE_EIGHTHS)


def _asthma():
    first = [310, 310, 370, 410, 250, 380, 330, 370, 310, 380, 290, 260, 90]
    second = [270, 260, 300, 390, 210, 350, 365, 385, 400, 410, 320, 340, 220]
    return np.array(first), np.array(second), np.array([True] * 7 + [False] * 6)


def test_senns_asthma_crossover_by_mixed_model():
    """With both periods of every subject, the mixed model is the period-adjusted t test."""
    first, second, formoterol_first = _asthma()
    y = np.concatenate([first, second]).astype(float)
    assigned = np.concatenate([formoterol_first, ~formoterol_first])
    period = np.repeat([0.0, 1.0], 13)[:, np.newaxis]
    found = groups.compare_groups(y, assigned, np.tile(np.arange(13), 2), "within", period)
    assert found.method == "mixed model (Kenward-Roger)"
    for way in (found.kenward_roger, found.satterthwaite):
        assert _printed(way.estimate, "46.607")
        assert _printed(way.se, "10.777")
        assert math.isclose(way.df, 11, rel_tol=1e-6)
        assert _printed(way.p, "0.001205")


def test_crossover_on_the_logarithm():
    t_1, r_2 = [28.39, 33.36, 24.29, 28.61, 59.49, 42.30], [35.44, 33.40, 24.65, 31.77, 65.29, 37.01]
    r_1, t_2 = [39.86, 32.75, 34.97, 45.44, 27.87, 24.26], [49.42, 36.78, 34.81, 45.54, 28.23, 25.71]
    first, second = np.log(t_1 + r_1), np.log(r_2 + t_2)
    test_first = np.repeat([True, False], 6)
    subjects, period = np.tile(np.arange(12), 2), np.repeat([0.0, 1.0], 12)[:, np.newaxis]
    found = groups.compare_groups(
        np.concatenate([first, second]), np.concatenate([test_first, ~test_first]), subjects, "within", period
    )
    effect, model = found.chosen, found.model
    assert _printed(effect.estimate, "0.0081349")
    assert _printed(effect.se, "0.0300477")
    assert math.isclose(effect.df, 10, rel_tol=1e-6)
    assert _printed(effect.t**2, "0.073")
    assert _printed(effect.p, "0.7921")
    assert _printed(model.residual_variance, "0.005417")
    assert _printed(effect.t**2 * model.residual_variance, "0.000397")
    of_period = mixed_model.estimate_contrast(model, [0, 0, 1])
    assert _printed(of_period.t**2, "3.784")
    assert _printed(of_period.p, "0.0804")
    assert _printed(100 * math.exp(effect.estimate), "100.817")
    half = stats.t.isf(0.05, effect.df) * effect.se  # the book prints 90 % intervals
    assert _printed(100 * math.exp(effect.estimate - half), "95.473")
    assert _printed(100 * math.exp(effect.estimate + half), "106.460")
    assert _printed(100 * math.sqrt(math.expm1(model.residual_variance)), "7.370")


def _sleepstudy(first_day=0, *, quadratic=False, **arguments):
    days = np.tile(np.arange(10.0), 18)
    kept = days >= first_day
    columns = [np.ones(180), days] + ([days**2] if quadratic else [])
    x, z = np.column_stack(columns)[kept], np.column_stack([np.ones(180), days])[kept]
    subjects = np.repeat(np.arange(18), 10)[kept]
    return mixed_model.fit_mixed_model(SLEEPSTUDY.ravel()[kept], x, subjects, arguments.pop("z", z), **arguments)


def test_sleepstudy_with_correlated_slopes():
    model = _sleepstudy()
    assert _printed(model.criterion, "1743.62827")
    assert [f"{b:.7f}" for b in model.beta] == ["251.4051048", "10.4672860"]
    assert [f"{s:.7f}" for s in model.se] == ["6.8245565", "1.5457889"]
    assert [f"{b / s:.3f}" for b, s in zip(model.beta, model.se, strict=True)] == ["36.838", "6.771"]
    assert _printed(model.random_covariance[0, 0], "612.08994")
    assert _printed(model.random_covariance[1, 1], "35.07166")
    assert _printed(model.random_covariance[0, 1], "9.60433")
    assert _printed(model.residual_variance, "654.94103")
    sd = np.sqrt(np.diag(model.random_covariance))
    # lme4 prints 24.741 where its optimiser stops; at the optimum, to which 612.08994 belongs, it is 24.74045
    np.testing.assert_allclose(sd, [24.741, 5.922], atol=6e-4)
    assert _printed(model.random_covariance[0, 1] / sd.prod(), "0.0656")
    assert _printed(math.sqrt(model.residual_variance), "25.592")
    for method in ("kenward-roger", "satterthwaite"):
        found = mixed_model.estimate_contrast(model, [0, 1], method)
        assert _printed(found.df, "17.000")
        assert _printed(found.t**2, "45.85300591")
        assert f"{found.p:.4e}" == "3.2638e-06"
    half = stats.norm.isf(0.025) * model.se[1]
    assert _printed(model.beta[1] - half, "7.438")
    assert _printed(model.beta[1] + half, "13.497")


def test_sleepstudy_with_intercepts_only():
    model = _sleepstudy(z=None)
    assert _printed(model.criterion, "1786.465")
    assert [f"{s:.4f}" for s in model.se] == ["9.7467", "0.8042"]
    assert _printed(model.random_covariance[0, 0], "1378.18")
    assert _printed(model.residual_variance, "960.46")
    assert _printed(mixed_model.estimate_contrast(model, [1, 0], "satterthwaite").df, "22.81")
    assert math.isclose(mixed_model.estimate_contrast(model, [0, 1], "satterthwaite").df, 161, abs_tol=1e-6)


def test_sleepstudy_with_independent_slopes():
    model = _sleepstudy(correlated=False)
    assert _printed(model.criterion, "1743.669")
    assert _printed(model.se[0], "6.885")
    assert _printed(model.se[1], "1.560")
    assert [f"{s:.3f}" for s in np.sqrt(np.diag(model.random_covariance))] == ["25.051", "5.988"]
    assert _printed(math.sqrt(model.residual_variance), "25.565")
    assert _printed(mixed_model.estimate_contrast(model, [0, 1], "satterthwaite").df, "18.156")
    assert _printed(mixed_model.estimate_contrast(model, [0, 1], "kenward-roger").df, "18.187")


def test_sleepstudy_without_the_first_two_days():
    model = _sleepstudy(2)
    assert _printed(model.criterion, "1404.094")
    assert [f"{b:.3f}" for b in model.beta] == ["245.097", "11.435"]
    assert [f"{s:.3f}" for s in model.se] == ["9.260", "1.845"]


def test_sleepstudy_with_a_quadratic():
    model = _sleepstudy(quadratic=True)
    assert _printed(model.criterion, "1742.816")
    assert [f"{b:.3f}" for b in model.beta] == ["255.449", "7.434", "0.337"]


def _phases(n_nights=24, shortest=4):
    """Return every ABAB schedule whose phases have at least so many nights."""
    rows = []
    for one, two, three in itertools.combinations(range(1, n_nights), 3):
        if min(one, two - one, three - two, n_nights - three) >= shortest:
            row = np.zeros(n_nights, dtype=bool)
            row[one:two] = row[three:] = True
            rows.append(row)
    return np.array(rows)


def test_onghena_random_change_points():
    a_1, b_1, a_2, b_2 = [6, 2, 5, 3, 4, 4], [1, 2, 3, 1, 3, 2], [2, 3, 4, 2, 4, 3], [0, 1, 2, 0, 2, 1]
    values, assigned = np.array(a_1 + b_1 + a_2 + b_2, dtype=float), np.tile(np.repeat([False, True], 6), 2)
    draws = _phases()
    assert len(draws) == 165
    schedule = resampling.Schedule(assigned, draws, complete=True, statistic="phase means")
    found = resampling.shift_statistics(values, schedule)
    assert found.estimate[0] == pytest.approx(-2.0)
    assert _share_as_low(found) * 165 == pytest.approx(4)
    assert _printed(_share_as_low(found), "0.02424")
    plain = resampling.shift_statistics(values, resampling.Schedule(assigned, draws, complete=True))
    assert _share_as_low(plain) * 165 == pytest.approx(5)
    assert _printed(_share_as_low(plain), "0.03030")


def _share_as_low(found):
    """Return the one-sided p-value that is printed; ours are two-sided, from the same statistics."""
    return float((found.a[0] <= found.observed_a[0] + 1e-9).mean())


def test_parker_non_overlap():
    first, second = [20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]
    value = effects.nap(first, second)
    assert _printed(value, "0.916667")
    assert value * 42 == pytest.approx(38.5)
    assert _printed(2 * value - 1, "0.833333")


def test_zar_mean_directions():
    first = np.radians([94, 65, 45, 52, 38, 47, 73, 82, 90, 40, 87])
    second = np.radians([77, 70, 61, 45, 50, 35, 48, 65, 36])
    assert _printed(math.degrees(circular.mean_direction(first)), "64.78")
    assert _printed(math.degrees(circular.mean_direction(second)), "54.09")


def test_benjamini_hochberg_1995():
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.000,
    ]
    adjusted = multiplicity.benjamini_hochberg(p)
    printed = [
        0.0015,
        0.003,
        0.0095,
        0.035625,
        0.0603,
        0.06385714,
        0.06385714,
        0.0645,
        0.0765,
        0.486,
        0.58118182,
        0.714875,
        0.75323077,
        0.81321429,
        1,
    ]
    np.testing.assert_allclose(adjusted, printed, rtol=0, atol=5e-9)
    assert (adjusted <= 0.05).sum() == 4
    assert (np.array(p) * 15 <= 0.05).sum() == 3
    by_holm = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1]
    np.testing.assert_allclose(multiplicity.holm(p)[:10], by_holm, rtol=0, atol=5e-9)


def test_borenstein_small_sample_factors():
    assert _printed(effects.small_sample_factor(98), "0.9923")
    assert _printed(effects.small_sample_factor(49), "0.9846")
