"""Two scorings of the same nights: the numbers others get, and a reason wherever there is none."""

import numpy as np
import pandas as pd
import pytest
import yasa
from scipy import stats
from sklearn import metrics

from eegsleep import tables
from eegsleep.agreement.limits import limits_of_agreement, proportional_bias
from eegsleep.agreement.measure import SCORES, STAGES, STATISTICS, measure_agreement, save_agreement, score_confusion
from eegsleep.errors import TableError
from eegsleep.hypnograms.table import make_stages

EXACT = {"rtol": 0, "atol": 1e-9}
NEIGHBOURS = {"W": ["N1"], "N1": ["W", "N2", "R"], "N2": ["N1", "N3"], "N3": ["N2"], "R": ["N1", "N2"]}


def _table(stages):
    return make_stages(np.asarray(stages, dtype=object), None, np.ones(len(stages), dtype=bool))


def _night(rng, n_epochs=600):
    """Return the stages of a made-up night of three cycles."""
    plan = [("W", rng.integers(5, 40))]
    for deep, rem in ((60, 10), (30, 30), (10, 50)):
        lengths = [4, *rng.integers(20, 60, 1), *rng.integers(deep - 8, deep + 8, 1), 20, rem, rng.integers(1, 10)]
        plan += zip(("N1", "N2", "N3", "N2", "R", "W"), lengths, strict=True)
    stages = np.repeat([stage for stage, _ in plan], [int(length) for _, length in plan])[:n_epochs]
    return np.append(stages, np.repeat("W", n_epochs - len(stages))).astype(object)


def _rescored(stages, rng, rate, unscored=0.0):
    """Return `stages` as a second scorer would have them, some bouts changed to a neighbouring stage."""
    changed = stages.copy()
    for first in np.flatnonzero(rng.random(len(stages)) < rate / 3):
        bout = slice(first, first + int(rng.integers(1, 6)))
        changed[bout] = [rng.choice(NEIGHBOURS[stage]) for stage in changed[bout]]
    changed[rng.random(len(stages)) < unscored] = "UNS"
    return changed


def _pairs(n_nights, per_subject=1, unscored=0.01, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for number in range(n_nights):
        truth = _night(rng)
        reference, observed = (_rescored(truth, rng, rate, unscored) for rate in (0.03, rng.uniform(0.1, 0.3)))
        pairs.append((f"night-{number}", f"s{number // per_subject}", _table(reference), _table(observed)))
    return pairs


def _both(pair):
    reference, observed = (frame["stage"].to_numpy(dtype="U3") for frame in pair[2:])
    kept = (reference != "UNS") & (observed != "UNS")
    return reference[kept], observed[kept]


def _pick(pooled, measure, pooling="mean of nights"):
    return pooled.set_index(["measure", "pooling"]).loc[(measure, pooling)]


def test_scores_of_every_night_are_those_of_scikit_learn():
    pairs = _pairs(6)
    nights = measure_agreement(pairs).nights
    for pair, row in zip(pairs, nights.itertuples(), strict=True):
        reference, observed = _both(pair)
        f1 = metrics.f1_score(reference, observed, labels=STAGES, average=None)
        assert row.n_epochs == len(reference)
        np.testing.assert_allclose(row.accuracy, metrics.accuracy_score(reference, observed), **EXACT)
        np.testing.assert_allclose(row.kappa, metrics.cohen_kappa_score(reference, observed), **EXACT)
        np.testing.assert_allclose([row.f1_w, row.f1_n1, row.f1_n2, row.f1_n3, row.f1_r], f1, **EXACT)
        np.testing.assert_allclose(row.macro_f1, f1.mean(), **EXACT)


def test_pooled_epochs_are_those_of_scikit_learn_on_all_epochs_joined():
    pairs = _pairs(5)
    agreement = measure_agreement(pairs)
    reference, observed = (np.concatenate(side) for side in zip(*map(_both, pairs), strict=True))
    kappa = _pick(agreement.pooled, "kappa", "all epochs")["value"]
    np.testing.assert_allclose(kappa, metrics.cohen_kappa_score(reference, observed), **EXACT)
    confusion = metrics.confusion_matrix(reference, observed, labels=STAGES)
    np.testing.assert_array_equal(agreement.confusion["n_epochs"].to_numpy().reshape(5, 5), confusion)
    shares = agreement.confusion.groupby("reference")["share"].sum()
    np.testing.assert_allclose(shares, 1.0, **EXACT)


def test_scores_of_every_night_are_those_of_yasa():
    pairs = _pairs(4)
    spell = {"W": "WAKE", "R": "REM"}

    def hypnograms(side, scorer):
        return {
            pair[0]: yasa.Hypnogram([spell.get(s, s) for s in pair[side]["stage"]], freq="30s", scorer=scorer)
            for pair in pairs
        }

    theirs = yasa.EpochByEpochAgreement(hypnograms(2, "first"), hypnograms(3, "second"))
    ours = measure_agreement(pairs).nights.set_index("night")
    np.testing.assert_allclose(100 * ours["accuracy"], theirs.get_agreement()["accuracy"], **EXACT)
    np.testing.assert_allclose(ours["kappa"], theirs.get_agreement()["kappa"], **EXACT)
    by_stage = theirs.get_agreement_bystage()["fbeta"]
    for stage in STAGES:
        name = {"W": "WAKE", "R": "REM"}.get(stage, stage)
        np.testing.assert_allclose(100 * ours[f"f1_{stage.lower()}"], by_stage.loc[name], **EXACT)


def test_bias_and_limits_are_those_of_yasa_where_every_sleeper_has_one_night():
    agreement = measure_agreement(_pairs(8))
    statistics = agreement.statistics.pivot_table(index="night", columns="statistic", values=["reference", "observed"])
    minutes = agreement.minutes.set_index("statistic")
    theirs = yasa.SleepStatsAgreement(statistics["reference"], statistics["observed"]).summary(ci_method="param")
    names = ["tst_min", "n2_min", "rem_min", "waso_min"]
    for ours, variable, interval in (
        ("bias", "bias_mean", "center"),
        ("bias_low", "bias_mean", "lower"),
        ("bias_high", "bias_mean", "upper"),
        ("loa_lower", "loa_lower", "center"),
        ("loa_upper", "loa_upper", "center"),
    ):
        np.testing.assert_allclose(minutes.loc[names, ours], theirs.loc[names, (variable, interval)], **EXACT)


@pytest.mark.parametrize("sizes", [(1,) * 6, (3, 3, 3, 3), (1, 2, 5, 2, 1)])
def test_limits_with_several_nights_of_a_sleeper_are_those_of_yasas_own_formulas(sizes):
    """YASA's class needs statsmodels for such nights; its formulas do not."""
    rng = np.random.default_rng(len(sizes))
    subjects = np.repeat(np.arange(len(sizes)), sizes)
    differences = rng.normal(size=len(sizes))[subjects] * 8 + rng.normal(5, 10, len(subjects))
    ours = limits_of_agreement(differences, subjects)
    theirs = yasa.SleepStatsAgreement
    parts = theirs._variance_components(differences, subjects)  # noqa: SLF001 - the formulas, see above
    sd = np.sqrt(parts["var_total"])
    spread = np.sqrt(theirs._variance_ci(parts, 0.95))  # noqa: SLF001
    recover = theirs._mover_loa_ci  # noqa: SLF001
    ends = recover(ours["bias"], ours["bias_low"], ours["bias_high"], sd, *spread, 1.96)
    np.testing.assert_allclose(ours["sd"], sd, **EXACT)
    np.testing.assert_allclose(
        [ours[f"loa_{n}"] for n in ("lower_low", "lower_high", "upper_low", "upper_high")], ends, **EXACT
    )
    if max(sizes) > 1:
        n = len(subjects)
        error = np.sqrt(parts["var_between"] * parts["sum_m2"] / n**2 + parts["var_within"] / n)
        reach = stats.t.ppf(0.975, len(sizes) - 1) * error
        np.testing.assert_allclose(ours["bias_high"] - ours["bias"], reach, **EXACT)


def test_limits_by_hand():
    """Differences 1, 2, 3, 4, 5: bias 3, sd sqrt(2.5), and the t of four degrees of freedom."""
    made = limits_of_agreement(np.array([1.0, 2, 3, 4, 5]), np.arange(5))
    assert made["bias"] == 3
    assert made["loa_upper"] == pytest.approx(3 + 1.96 * 2.5**0.5, abs=1e-12)
    assert made["bias_low"] == pytest.approx(3 - 2.7764451 * 0.5**0.5, abs=1e-6)


def test_slope_is_ordinary_regression_on_the_mean_and_stays_near_zero_without_proportional_bias():
    rng = np.random.default_rng(3)
    truth = rng.normal(400, 30, 400)
    reference, observed = truth + rng.normal(0, 30, 400), truth + 10 + rng.normal(0, 30, 400)
    difference, mean = observed - reference, (observed + reference) / 2
    made = proportional_bias(difference, mean, np.arange(400))
    line = stats.linregress(mean, difference)
    np.testing.assert_allclose(made["slope"], line.slope, **EXACT)
    np.testing.assert_allclose(made["slope_high"] - line.slope, line.stderr * stats.t.ppf(0.975, 398), **EXACT)
    assert made["slope_low"] < 0 < made["slope_high"]
    assert stats.linregress(reference, difference).slope < -0.3, "what YASA's regression on the reference would say"


def test_an_epoch_counts_only_if_both_scored_it_and_what_is_left_out_is_counted():
    reference = ["UNS", "W", "N2", "N2", "UNS", "R"]
    observed = ["W", "UNS", "N2", "N3", "UNS", "R"]
    row = measure_agreement([("a", "a", _table(reference), _table(observed))]).nights.iloc[0]
    assert (row["n_total"], row["n_epochs"], row["unscored_reference"], row["unscored_observed"]) == (6, 3, 2, 2)
    assert row["left_out_percent"] == 50
    assert row["accuracy"] == pytest.approx(2 / 3)


def test_epochs_unscored_by_one_do_not_bias_the_minutes_of_the_other():
    stages = _night(np.random.default_rng(1))
    gap = stages.copy()
    gap[200:300] = "UNS"
    statistics = measure_agreement([("a", "a", _table(stages), _table(gap))]).statistics
    assert (statistics["difference"].dropna() == 0).all()


def test_f1_of_a_stage_is_missing_if_neither_scored_it_and_zero_if_one_did():
    reference, observed = ["W", "W", "N2", "N2", "N2"], ["W", "N1", "N2", "N2", "N2"]
    nights = measure_agreement([("a", "a", _table(reference), _table(observed))]).nights
    row = nights.iloc[0]
    assert row["f1_n1"] == 0
    assert np.isnan(row["f1_n3"])
    assert np.isnan(row["f1_r"])
    assert row["reason"] == "F1: N3, R in neither scoring"
    expected = metrics.f1_score(reference, observed, labels=["W", "N2"], average="macro")
    assert row["macro_f1"] == pytest.approx(expected, abs=1e-9)


def test_kappa_is_missing_if_the_reference_is_constant_and_zero_if_only_the_observed_is():
    constant, varied = ["N2"] * 10, ["N2"] * 8 + ["R"] * 2
    pairs = [
        ("a", "a", _table(constant), _table(varied)),
        ("b", "b", _table(constant), _table(constant)),
        ("c", "c", _table(varied), _table(constant)),
    ]
    agreement = measure_agreement(pairs)
    kappa = agreement.nights["kappa"]
    assert kappa[:2].isna().all()
    assert kappa[2] == 0
    assert agreement.nights["reason"].str.startswith("kappa: the reference has only N2")[:2].all()
    pooled = _pick(agreement.pooled, "kappa")
    assert (pooled["value"], pooled["n_nights"]) == (0, 1)
    assert "no value in 2 of 3 nights" in pooled["reason"]


def test_a_night_no_epoch_of_which_both_scored_says_so_and_enters_nothing():
    empty = ("empty", "e", _table(["UNS"] * 20), _table(["N2"] * 20))
    agreement = measure_agreement([*_pairs(5), empty])
    row = agreement.nights.iloc[-1]
    assert row["reason"] == "no epoch was scored by both"
    assert row[list(SCORES)].isna().all()
    without = measure_agreement(_pairs(5)).pooled
    np.testing.assert_allclose(agreement.pooled["value"], without["value"], **EXACT)
    assert set(agreement.pooled["n_nights"]) == {5}
    alone = measure_agreement([empty])
    assert alone.pooled["value"].isna().all()
    assert (alone.pooled["reason"] != "").all()


def test_one_night_gives_values_without_intervals_and_says_why():
    agreement = measure_agreement(_pairs(1))
    assert agreement.pooled["value"].notna().all()
    assert agreement.pooled[["low", "high"]].isna().all(axis=None)
    assert (agreement.pooled["reason"] == "no interval: one night, and it takes 5 to resample").all()
    assert agreement.minutes["bias"].notna().all()
    assert agreement.minutes[["bias_low", "sd", "loa_upper", "slope"]].isna().all(axis=None)
    assert (agreement.minutes["reason"] == "no limits: one night, and a spread needs 3").all()


def test_a_perfect_scorer_agrees_perfectly_without_a_warning():
    pairs = [(night, subject, frame, frame) for night, subject, frame, _ in _pairs(6, unscored=0)]
    agreement = measure_agreement(pairs)
    np.testing.assert_allclose(agreement.pooled[["value", "low", "high"]], 1.0, **EXACT)
    np.testing.assert_allclose(agreement.minutes[["bias", "loa_lower", "loa_upper_high"]], 0.0, **EXACT)


def test_sleepers_are_resampled_with_all_their_nights():
    """Copying each night of a sleeper adds nights, not knowledge: the interval must not shrink."""
    single = _pairs(8)
    copied = [(f"{night}-{copy}", *rest) for night, *rest in single for copy in range(4)]
    one, four = (_pick(measure_agreement(pairs).pooled, "kappa") for pairs in (single, copied))
    assert four["n_nights"] == 32
    assert four["n_subjects"] == 8
    np.testing.assert_allclose(
        four[["value", "low", "high"]].to_numpy(float), one[["value", "low", "high"]].to_numpy(float), **EXACT
    )
    as_strangers = [(night, night, *rest) for night, _, *rest in copied]
    naive = _pick(measure_agreement(as_strangers).pooled, "kappa")
    assert naive["high"] - naive["low"] < 0.7 * (four["high"] - four["low"])


def test_nights_of_one_sleeper_are_resampled_themselves_and_the_reason_says_for_whom():
    agreement = measure_agreement(_pairs(6, per_subject=6))
    kappa = _pick(agreement.pooled, "kappa")
    assert kappa["low"] < kappa["value"] < kappa["high"]
    assert kappa["reason"] == "all nights are of one subject: the interval speaks for this sleeper only"
    few = _pick(measure_agreement(_pairs(8, per_subject=4)).pooled, "kappa")
    assert few["reason"] == "no interval: 2 subjects, and it takes 5 to resample"


def test_mean_and_median_of_nights_are_what_they_say_and_the_seed_repeats_the_interval():
    pairs = _pairs(7)
    agreement = measure_agreement(pairs)
    accuracy = agreement.nights["accuracy"]
    assert _pick(agreement.pooled, "accuracy")["value"] == pytest.approx(accuracy.mean(), abs=1e-12)
    assert _pick(agreement.pooled, "accuracy", "median of nights")["value"] == pytest.approx(accuracy.median())
    even = measure_agreement(pairs[:6])
    assert _pick(even.pooled, "kappa", "median of nights")["value"] == pytest.approx(even.nights["kappa"].median())
    pd.testing.assert_frame_equal(agreement.pooled, measure_agreement(pairs).pooled)
    other = measure_agreement(pairs, seed=5).pooled
    assert (other["seed"] == 5).all()
    assert (other["low"] != agreement.pooled["low"]).any()


def test_a_latency_one_scoring_lacks_leaves_that_night_out_with_a_reason():
    pairs = _pairs(4, unscored=0)
    no_rem = pairs[0][3]["stage"].replace("R", "N2")
    pairs[0] = (*pairs[0][:3], pairs[0][3].assign(stage=no_rem))
    agreement = measure_agreement(pairs)
    row = agreement.minutes.set_index("statistic").loc["rem_latency_min"]
    assert row["n_nights"] == 3
    assert row["reason"].startswith("no value in 1 of 4 nights")
    night = agreement.statistics.set_index(["night", "statistic"]).loc[("night-0", "rem_latency_min")]
    assert night["reason"] == "observed: no REM in this night"
    assert set(agreement.minutes["statistic"]) == set(STATISTICS)


def test_many_confusion_matrices_are_scored_at_once_as_they_are_one_by_one():
    confusions = np.random.default_rng(0).integers(0, 40, (3, 4, 5, 5))
    made = score_confusion(confusions)
    assert made.shape == (3, 4, len(SCORES))
    np.testing.assert_allclose(made[1, 2], score_confusion(confusions[1, 2]), **EXACT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: [], "no night"),
        (lambda pair: [pair, pair], "given twice"),
        (lambda pair: [("", *pair[1:])], "no name"),
        (lambda pair: [(*pair[:3], pair[3].iloc[:-1])], "do not fit"),
        (lambda pair: [(*pair[:3], pair[3].assign(onset_s=pair[3]["onset_s"] + 15))], "do not fit"),
        (lambda pair: [(*pair[:3], pair[3].drop(columns="stage"))], "night-0 is not scored as a hypnogram"),
        (lambda pair: [(*pair[:3], pair[3].assign(stage="N4"))], "column stage .* holds a value"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(TableError, match=message):
        measure_agreement(change(_pairs(1)[0]))


def test_saved_tables_read_back_with_hostile_names_made_harmless(tmp_path):
    _, subject, *frames = _pairs(1)[0]
    agreement = measure_agreement([("=cmd()", subject, *frames), ("b", subject, *frames)])
    folder = save_agreement(agreement, tmp_path / "new" / "folder", {"agreement.html": b"page"})
    assert (folder / "agreement.html").read_bytes() == b"page"
    assert len(list(folder.iterdir())) == 2 * len(tables.AGREEMENT_TABLES) + 1
    assert "\n'=cmd()" in (folder / "agreement_nights.csv").read_text()
    for table in tables.AGREEMENT_TABLES:
        back = tables.read_table(folder / f"{table.name}.csv", table)
        pd.testing.assert_frame_equal(back, getattr(agreement, table.name.removeprefix("agreement_")), rtol=1e-8)
