"""Markers from small tables made by hand, with answers worked out beside them."""

import numpy as np
import pandas as pd
import pytest

from eegsleep.errors import SettingsError
from eegsleep.events.detect import Events
from eegsleep.markers import CATALOGUE, FAMILIES, MarkerSettings, measure_markers
from eegsleep.markers.events import largest_wave_rows, low_sigma_row
from eegsleep.markers.rows import Place
from eegsleep.staging.course import THIRDS
from eegsleep.tables import (
    COUPLING,
    EVENT_TABLES,
    HYPNOGRAM,
    MARKERS,
    QUALITY,
    SLOW_OSCILLATIONS,
    SPECTRUM,
    SPINDLES,
    check_table,
    empty_table,
)


def fill(table, rows):
    """Make `table` from rows that name only the columns that matter."""
    blank = {"int": 0, "float": np.nan, "str": "", "bool": False}
    default = {column.name: next(iter(column.levels), blank[column.kind]) for column in table.columns}
    if not rows:
        return empty_table(table)
    return check_table(pd.DataFrame([{**default, **row} for row in rows]), table)


def night(text="W*10 N2*60 N3*40 R*20", bad=(), channels=("C3",)):
    """Make hypnogram and quality; `bad` are the epochs that are not usable on any channel."""
    stages = [stage for part in text.split() for stage in [part.split("*")[0]] * int(part.split("*")[1])]
    rows = [{"epoch": i, "onset_s": 30.0 * i, "stage": stage} for i, stage in enumerate(stages)]
    quality = [
        {"epoch": i, "onset_s": 30.0 * i, "channel": channel, "usable": i not in bad}
        for channel in channels
        for i in range(len(stages))
    ]
    return fill(HYPNOGRAM, rows), fill(QUALITY, quality)


def spindles_at(epochs, stage, **values):
    rows = [{"channel": "C3", "stage": stage, "peak_s": 30.0 * e + 5, **values} for e in epochs]
    return [{"spindle_class": "fast", "amplitude_uv": 40.0, "frequency_hz": 13.5, **row} for row in rows]


def coupled_at(epochs, stage, phases, coupled=True, chance=0.0):
    return [
        {
            "channel": "C3",
            "stage": stage,
            "spindle_class": "fast",
            "spindle_peak_s": 30.0 * e + 5,
            "phase_rad": phase,
            "coupled": coupled,
            "chance_share": chance,
            "chance_cosine": 0.0,
            "chance_sine": 0.0,
        }
        for e, phase in zip(epochs, phases, strict=True)
    ]


def measure(tables, spindles=(), waves=(), coupling=(), spectrum=(), channels=("C3",), settings=None):
    events = {SPINDLES: spindles, SLOW_OSCILLATIONS: waves, COUPLING: coupling}
    kept = {table.name: empty_table(table) for table in EVENT_TABLES} | {
        table.name: fill(table, list(rows)) for table, rows in events.items()
    }
    return measure_markers(*tables, Events(**kept), fill(SPECTRUM, list(spectrum)), channels, settings)


def row(markers, name, stage="", channel="C3"):
    channel = channel if stage else ""
    key = (markers["marker"] == name) & (markers["stage"] == stage) & (markers["channel"] == channel)
    (found,) = markers[key].to_dict("records")
    return found


def test_every_marker_is_in_the_catalogue_and_every_entry_is_measured(sample_night):
    assert set(measure(night())["marker"]) < set(CATALOGUE)
    assert set(sample_night.markers["marker"]) == set(CATALOGUE)


def test_the_catalogue_is_complete():
    for name, marker in CATALOGUE.items():
        assert marker.name == name
        assert marker.family in FAMILIES
        assert (marker.rem_family or marker.family) in FAMILIES
        assert marker.direction in {"+", "-", "0"}
        assert (marker.smallest_effect is None) == (marker.smallest_effect_unit == "")
        assert marker.meaning.endswith(".")
        assert "{" not in marker.label + marker.meaning


def test_family_and_direction_depend_on_rem():
    activity = CATALOGUE["swa_power_uv2"]
    assert (activity.family_in("NREM"), activity.direction_in("NREM")) == ("B", "+")
    for stage in ("R", "W"):
        assert (activity.family_in(stage), activity.direction_in(stage)) == ("context", "0")
    markers = measure(night())
    assert row(markers, "theta_power_uv2", "R")["family"] == "C"
    assert row(markers, "theta_power_uv2", "NREM")["family"] == "context"


def test_rows_are_unique_and_every_missing_value_has_a_reason():
    for text in ("W*10 N2*60 N3*40 R*20", "W*40", "UNS*40", "N3*50"):
        markers = measure(night(text, channels=("C3", "C4")), channels=("C3", "C4", "C4"))
        assert list(markers.columns) == MARKERS.column_names
        assert not markers.duplicated(["marker", "stage", "channel"]).any()
        assert (markers["value"].isna() == (markers["reason"] != "")).all()


def test_density_divides_by_clean_and_not_by_all_minutes():
    # N2 is epochs 10-69, 30 min; 20 of them are bad, so 20 clean min; 40 spindles in those: 2/min
    tables = night(bad=range(10, 30))
    markers = measure(tables, spindles_at([*range(30, 70)], "N2"))
    found = row(markers, "spindle_density_per_min", "N2")
    assert (found["value"], found["n"], found["clean_min"]) == (2.0, 40, 20.0)
    # NREM has the 20 min of N3 besides: 40 / 40
    assert row(markers, "spindle_density_per_min", "NREM")["value"] == 1.0
    # a spindle in a bad epoch belongs to no clean minute
    more = measure(tables, spindles_at([*range(20, 70)], "N2"))
    assert row(more, "spindle_density_per_min", "N2")["value"] == 2.0


def test_classes_are_counted_apart_and_together():
    events = spindles_at(range(10, 40), "N2") + spindles_at(
        range(40, 50), "N2", spindle_class="slow", amplitude_uv=20.0, frequency_hz=11.0
    )
    markers = measure(night(), events)
    assert row(markers, "fast_spindle_density_per_min", "N2")["value"] == 1.0
    assert row(markers, "slow_spindle_density_per_min", "N2")["value"] == pytest.approx(1 / 3)
    assert row(markers, "spindle_density_per_min", "N2")["n"] == 40
    assert row(markers, "spindle_amplitude_uv", "N2")["value"] == pytest.approx((30 * 40 + 10 * 20) / 40)
    assert row(markers, "slow_spindle_frequency_hz", "N2")["value"] == 11.0
    # the duration was never measured: missing, not zero
    assert row(markers, "spindle_duration_s", "N2")["reason"] == "could not be measured"


def test_nothing_found_in_clean_sleep_is_a_true_zero():
    markers = measure(night())
    for name in ("spindle_density_per_min", "slow_oscillation_density_per_min"):
        assert row(markers, name, "N3")["value"] == 0.0
    assert row(markers, "coupled_spindle_density_per_min", "NREM")["value"] == 0.0
    assert row(markers, "spindle_amplitude_uv", "N3")["reason"] == "no spindle found"
    assert row(markers, "fast_spindle_amplitude_uv", "N3")["reason"] == "no fast spindle found"
    assert row(markers, "slow_oscillation_ptp_uv", "N3")["reason"] == "no slow oscillation found"
    assert row(markers, "spindles_coupled_percent", "NREM")["reason"] == "no spindle found"


def test_too_few_clean_minutes_is_missing():
    markers = measure(night("N2*60 N3*7"), spindles_at([61], "N3"))
    found = row(markers, "spindle_density_per_min", "N3")
    assert np.isnan(found["value"])
    assert (found["reason"], found["n"]) == ("only 3.5 clean minutes of N3, 10 needed", 1)
    # exactly enough is enough
    assert row(measure(night("N3*20")), "spindle_density_per_min", "N3")["value"] == 0.0


def test_a_stage_that_did_not_occur_is_missing():
    markers = measure(night("W*10 N3*60"))
    assert row(markers, "spindle_density_per_min", "N2")["reason"] == "no N2 in this night"
    assert row(markers, "aperiodic_exponent", "R")["reason"] == "no REM in this night"
    assert row(markers, "spindle_density_per_min", "NREM")["value"] == 0.0
    unscored = measure(night("UNS*60"))
    assert row(unscored, "spindle_density_per_min", "N2")["reason"] == "no epoch was scored"


@pytest.mark.parametrize("settings", [None, MarkerSettings(0, 0, 2, 0)])
def test_bad_channels_give_rows_without_values(settings):
    events = spindles_at(range(10, 40), "N2")
    markers = measure(night(bad=range(130)), events, channels=("C3", "absent"), settings=settings)
    on_channels = markers[markers["channel"] != ""]
    assert on_channels["value"].isna().all()
    assert (on_channels["clean_min"] == 0).all()
    assert row(markers, "tst_min")["value"] == 60.0
    if settings is None:
        reason = row(markers, "spindle_density_per_min", "N2", "absent")["reason"]
        assert reason == "only 0 clean minutes of N2, 10 needed"


def test_slow_oscillations():
    waves = [
        {
            "channel": "C3",
            "stage": "N3",
            "neg_peak_s": 30.0 * e + 1,
            "ptp_uv": ptp,
            "slope_uv_per_s": 300.0,
            "kind": "slow_oscillation",
            "found_absolute": True,
            "found_relative": ptp > 120,
            "ptp_relative": ptp / 20,
        }
        for e, ptp in zip(range(70, 110), [100.0, 140.0] * 20, strict=True)
    ]
    markers = measure(night(), waves=waves)
    assert row(markers, "slow_oscillation_density_per_min", "N3")["value"] == 2.0  # 40 in 20 min
    assert row(markers, "slow_oscillation_density_per_min", "NREM")["value"] == pytest.approx(0.8)
    assert row(markers, "slow_oscillation_ptp_uv", "N3")["value"] == 120.0
    assert row(markers, "slow_oscillation_slope_per_s", "N3")["value"] == pytest.approx((3 + 300 / 140) / 2)
    assert row(markers, "slow_oscillation_relative_density_per_min", "N3")["value"] == 1.0
    assert row(markers, "slow_oscillation_ptp_relative", "N3")["value"] == 7.0


def test_k_complexes_are_no_slow_oscillations():
    waves = [
        {
            "channel": "C3",
            "stage": "N2",
            "neg_peak_s": 30.0 * e + 1,
            "ptp_uv": 150.0,
            "kind": kind,
            "found_absolute": True,
        }
        for e, kind in zip(range(10, 70), ["k_complex", "slow_oscillation", "slow_oscillation"] * 20, strict=True)
    ]
    markers = measure(night(), waves=waves)
    assert row(markers, "k_complex_density_per_min", "N2")["value"] == pytest.approx(20 / 30)
    assert row(markers, "slow_oscillation_density_per_min", "N2")["value"] == pytest.approx(40 / 30)


def test_strength_is_about_zero_for_uniform_phases_and_one_for_equal_ones():
    epochs = range(10, 70)
    uniform = np.linspace(-np.pi, np.pi, 60, endpoint=False)
    markers = measure(night(), coupling=coupled_at(epochs, "N2", uniform))
    # R = 0 exactly: the square is (60*0 - 1)/59, and the length keeps its sign
    assert row(markers, "coupling_strength", "N2")["value"] == pytest.approx(-np.sqrt(1 / 59))
    assert "standard error" in row(markers, "coupling_phase_rad", "N2")["reason"]
    markers = measure(night(), coupling=coupled_at(epochs, "N2", np.full(60, -0.5)))
    assert row(markers, "fast_coupling_strength", "N2")["value"] == pytest.approx(1.0)
    assert row(markers, "fast_coupling_phase_rad", "NREM")["value"] == pytest.approx(-0.5)
    assert row(markers, "coupled_spindle_density_per_min", "N2")["value"] == 2.0


def test_the_mean_phase_goes_round_the_circle():
    phases = [np.pi - 0.1, -np.pi + 0.1] * 30  # the mean is pi, not 0
    markers = measure(night(), coupling=coupled_at(range(10, 70), "N2", phases))
    assert abs(row(markers, "coupling_phase_rad", "N2")["value"]) == pytest.approx(np.pi)


def test_few_spindles_have_a_plain_share_but_nothing_less_chance():
    events = coupled_at(range(10, 22), "N2", [0.0] * 12)
    events += coupled_at(range(22, 58), "N2", [np.nan] * 36, coupled=False)
    markers = measure(night(), coupling=events)
    assert row(markers, "spindles_coupled_percent", "N2")["value"] == 25.0
    for name in ("coupling_phase_rad", "coupling_strength", "spindles_coupled_excess_percent"):
        assert row(markers, name, "N2")["reason"] == "only 48 spindles, 50 needed"
    short = measure(night("N2*30"), coupling=coupled_at(range(10, 22), "N2", [0.0] * 12))
    assert row(short, "spindles_coupled_percent", "N2")["reason"] == "only 15 clean minutes of N2, 20 needed"


def test_coupling_is_missing_where_waves_are_not_known():
    markers = measure(night(), coupling=coupled_at(range(10, 70), "N2", [np.nan] * 60, coupled=False, chance=np.nan))
    for name in ("spindles_coupled_excess_percent", "coupling_strength"):
        assert "waves are not known here" in row(markers, name, "N2")["reason"]


def test_arousals_count_where_they_were_marked():
    tables = night()
    events = Events(**{table.name: empty_table(table) for table in EVENT_TABLES})
    plain = measure_markers(*tables, events, empty_table(SPECTRUM), ())
    assert row(plain, "arousal_index_per_h")["reason"] == "not measured: no arousals were marked"
    marked = pd.DataFrame({"onset_s": [31.0, 400.0, 2000.0]})  # the first lies in wake
    found = measure_markers(*tables, events, empty_table(SPECTRUM), (), arousals=marked)
    assert row(found, "arousal_index_per_h")["value"] == pytest.approx(2 / 1)  # an hour of sleep


def test_spindle_density_by_third_of_the_sleep_period():
    """120 epochs of sleep; 40 spindles in the first 40, all N2; REM is no NREM."""
    markers = measure(night(), spindles_at(range(10, 50), "N2"))
    first, middle, last = (row(markers, f"spindle_density_{third}_third_per_min", "NREM") for third in THIRDS)
    assert (first["value"], first["n"], first["clean_min"]) == (2.0, 40, 20.0)
    assert middle["value"] == 0.0
    assert last["clean_min"] == 10.0


def test_low_sigma_is_measured_on_frontal_channels_only():
    for channel, value in (("F3", 1.0), ("C3", np.nan)):
        bursts = fill(SPINDLES, spindles_at(range(10, 40), "N2", channel=channel))
        found = low_sigma_row(bursts, Place(channel, "N2", 30.0, ""), MarkerSettings())
        assert found["value"] == pytest.approx(value, nan_ok=True)


def test_largest_waves_are_means_over_minutes():
    minutes = pd.DataFrame({"ptp_uv": [100.0, 120.0, np.nan], "slope_uv_per_s": [200.0, 360.0, np.nan]})
    place = Place("C3", "NREM", 30.0, "")
    found = {line["marker"]: line for line in largest_wave_rows(minutes, place, MarkerSettings())}
    assert found["largest_waves_ptp_uv"]["value"] == 110.0
    assert found["largest_waves_slope_per_s"]["value"] == 2.5
    assert found["largest_waves_ptp_uv"]["n"] == 2


def spectral(measure_name, value, stage="NREM", cycle=0, clean_min=20.0, reason=""):
    return {
        "channel": "C3",
        "stage": stage,
        "cycle": cycle,
        "measure": measure_name,
        "value": value,
        "n_epochs": int(2 * clean_min),
        "clean_min": clean_min,
        "reason": reason,
    }


def test_spectral_markers_are_those_of_the_whole_night():
    rows = [
        spectral("swa_power_uv2", 500.0),
        spectral("swa_power_uv2", 900.0, cycle=1),
        spectral("theta_power_uv2", 9.0, "R", clean_min=4.0),
        spectral("aperiodic_exponent", np.nan, "N2", reason="no fit"),
    ]
    markers = measure(night(), spectrum=rows)
    found = row(markers, "swa_power_uv2", "NREM")
    assert (found["value"], found["unit"], found["n"], found["clean_min"]) == (500.0, "µV²", 40, 20.0)
    assert row(markers, "first_cycle_swa_power_uv2", "NREM")["value"] == 900.0
    assert row(markers, "theta_power_uv2", "R")["reason"] == "only 4 clean minutes of REM, 5 needed"
    assert row(markers, "aperiodic_exponent", "N2")["reason"] == "no fit"
    assert row(markers, "beta_power_uv2", "N2")["reason"] == "no spectrum was measured on this channel"


def test_decline_is_the_slope_of_the_logarithm():
    rows = [spectral("swa_power_uv2", 800.0 / 2**c, cycle=c) for c in (1, 2, 3)]  # halves each cycle
    found = row(measure(night(), spectrum=rows), "swa_decline_percent_per_cycle", "NREM")
    assert (found["value"], found["n"], found["clean_min"]) == (pytest.approx(50.0), 120, 60.0)
    rows[2]["clean_min"] = 1.0
    found = row(measure(night(), spectrum=rows), "swa_decline_percent_per_cycle", "NREM")
    assert found["reason"] == "only 2 cycles with 5 clean minutes of NREM, 3 needed"


def test_sleep_statistics_have_neither_stage_nor_channel():
    found = row(measure(night("W*10 UNS*10 N2*60")), "tst_min")
    assert (found["value"], found["family"], found["n"], found["clean_min"]) == (30.0, "A", 80, 35.0)


def test_channels_do_not_mix():
    events = spindles_at(range(10, 40), "N2")
    markers = measure(night(channels=("C3", "C4")), events, channels=("C3", "C4"))
    assert row(markers, "spindle_density_per_min", "N2", "C3")["value"] == 1.0
    assert row(markers, "spindle_density_per_min", "N2", "C4")["value"] == 0.0


@pytest.mark.parametrize("wrong", [{"min_event_min": -1}, {"min_coupling_spindles": 1}, {"min_spectrum_min": np.nan}])
def test_a_setting_out_of_range_is_refused(wrong):
    with pytest.raises(SettingsError, match="out of range"):
        MarkerSettings(**wrong)
