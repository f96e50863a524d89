"""What a detector missed, by condition: a density that fell because events were not seen is told."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.markers.catalogue import CATALOGUE
from eegsleep.study.arrangement import arrange_nights
from eegsleep.study.nuisances.nuisance import Arms, measure_nuisances
from eegsleep.study.nuisances.recall import compare_recall, counted_kind, recall_of_nights
from eegsleep.tables import AUDIT, check_table

DENSITY = "fast_spindle_density_per_min"


def make_audit(nights, spindle=0.8, wave=0.8, channel="C3", n_planted=40):
    """Return the audits of nights in which these shares were found, one value or one a night."""
    rows = []
    shares = {"spindle": np.broadcast_to(spindle, len(nights)), "slow_oscillation": np.broadcast_to(wave, len(nights))}
    for at, night in enumerate(nights):
        rows += [
            {
                "night": night,
                "channel": channel,
                "kind": kind,
                "view": "absolute",
                "stage": stage,
                "planted_uv": size,
                "n_planted": n_planted,
                "n_found": round(share[at] * n_planted),
            }
            for kind, share in shares.items()
            for stage in ("N2", "N3")
            for size in (20.0, 40.0)
        ]
    frame = pd.DataFrame(rows)
    blank = [name for name in AUDIT.column_names if name not in frame]
    table = check_table(frame.drop(columns="night").assign(**dict.fromkeys(blank, np.nan)), AUDIT)
    return table.assign(night=frame["night"])


@pytest.fixture
def nights(study):
    study.nights["file"] = "x"
    return study


def _doubts(study, density, audit, **more):
    values = pd.DataFrame(
        {
            "night": study.nights["night"],
            "marker": DENSITY,
            "stage": "NREM",
            "channel": "C3",
            "value": density,
            "unit": "/min",
        }
    )
    found = measure_nuisances(arrange_nights(study, values), None, audit=audit, **more)
    found = found[found["kind"] == "recall"]
    return found[found["marker"] == ""], found[found["marker"] == DENSITY]


def test_every_planted_size_counts_alike_whatever_was_planted_of_it(study):
    audit = make_audit(["one"], spindle=0.5)
    audit.loc[(audit["kind"] == "spindle") & (audit["planted_uv"] == 20.0), ["n_planted", "n_found"]] = [4, 0]
    share = recall_of_nights(audit, np.array(["one", "none"]), "spindle", "N2", "C3")
    assert share[0] == pytest.approx(0.25)
    assert np.isnan(share[1])
    assert np.isnan(recall_of_nights(audit, np.array(["one"]), "spindle", "N2", "other")).all()


def test_recall_of_nrem_takes_both_stages_and_all_channels_have_one_say():
    audit = pd.concat([make_audit(["one"], spindle=1.0), make_audit(["one"], spindle=0.5, channel="C4")])
    assert recall_of_nights(audit, np.array(["one"]), "spindle")[0] == pytest.approx(0.75)


def test_only_what_the_audited_detector_counts_is_vouched_for():
    assert all(name in CATALOGUE for name in (DENSITY, "slow_spindle_density_per_min"))
    counted = {name: counted_kind(name) for name in CATALOGUE if counted_kind(name)}
    assert counted == {
        "spindle_density_per_min": "spindle",
        "fast_spindle_density_per_min": "spindle",
        "coupled_spindle_density_per_min": "spindle",
        "fast_coupled_spindle_density_per_min": "spindle",
        "slow_oscillation_density_per_min": "slow_oscillation",
    }


def test_two_nights_of_a_condition_are_the_fewest():
    shares, assigned = np.array([0.8, 0.6, 0.5, np.nan]), np.array([False, False, True, True])
    assert compare_recall(shares, assigned, np.ones(4, dtype=bool)) is None
    shares[3] = 0.2
    assert compare_recall(shares, assigned, np.ones(4, dtype=bool)) == pytest.approx((0.7, 0.35))
    assert compare_recall(shares, assigned, np.array([True, False, True, True])) is None


def test_a_density_that_fell_with_recall_is_conspicuous(nights):
    """The same spindles, three quarters of them seen: the whole difference is the detector's."""
    second = (nights.nights["condition"] == "B").to_numpy()
    rng = np.random.default_rng(0)
    density = np.where(second, 3.0, 4.0) + rng.normal(0, 0.05, len(second))
    whole, own = _doubts(nights, density, make_audit(nights.nights["night"], np.where(second, 0.6, 0.8)))
    row = own.iloc[0]
    assert row["conspicuous"]
    assert row["value"] == pytest.approx(-20)
    assert row["unit"] == "percentage points"
    assert row["adjusted_difference"] == pytest.approx(0, abs=0.1)
    assert "saw 60 % of planted spindles with the compound and 80 % with the control" in row["sentence"]
    assert whole["conspicuous"].tolist() == [True, False], "spindles, slow oscillations"


def test_a_density_that_fell_where_events_were_seen_alike_is_not(nights):
    second = (nights.nights["condition"] == "B").to_numpy()
    density = np.where(second, 3.0, 4.0) + np.random.default_rng(0).normal(0, 0.05, len(second))
    whole, own = _doubts(nights, density, make_audit(nights.nights["night"]))
    assert not own["conspicuous"].any()
    assert own["adjusted_difference"].iloc[0] == pytest.approx(-1, abs=0.1)
    assert not whole["conspicuous"].any()


def test_a_difference_that_recall_hides_shows_in_the_row_of_the_study(nights):
    """As many counted, fewer seen: there is no difference to explain away, and yet a reader must stop."""
    second = (nights.nights["condition"] == "B").to_numpy()
    density = 4 + np.random.default_rng(0).normal(0, 0.05, len(second))
    whole, own = _doubts(nights, density, make_audit(nights.nights["night"], np.where(second, 0.6, 0.8)))
    assert whole["conspicuous"].iloc[0]
    assert own["adjusted_difference"].iloc[0] == pytest.approx(4 / 0.75 - 4, abs=0.2)


def test_without_an_audit_nothing_is_said_of_recall(nights):
    whole, own = _doubts(nights, np.full(len(nights.nights), 4.0), None)
    assert whole.empty
    assert own.empty


def test_masked_sentences_name_codes(nights):
    second = (nights.nights["condition"] == "B").to_numpy()
    audit = make_audit(nights.nights["night"], np.where(second, 0.6, 0.8))
    nights.nights["guess"] = np.where(second, "B", "A")
    values = pd.DataFrame(
        {
            "night": nights.nights["night"],
            "marker": DENSITY,
            "stage": "NREM",
            "channel": "C3",
            "value": np.where(second, 3.0, 4.0) + np.arange(len(second)) / 50,
            "unit": "/min",
            "clean_min": 60.0,
        }
    )
    arranged = arrange_nights(nights, values)
    masked = " ".join(measure_nuisances(arranged, None, audit=audit, arms=Arms("A", "B"))["sentence"])
    named = " ".join(measure_nuisances(arranged, None, audit=audit)["sentence"])
    assert "compound" not in masked
    assert "control" not in masked
    assert "with B" in masked
    assert "with the compound" in named
