"""How each marker is computed, and the source of the method.

The catalogue says what a marker means and how a difference in it is read; this module says how its number comes about.
It is read by `eegsleep markers` and by the documentation.
"""

from __future__ import annotations

from typing import NamedTuple

from eegsleep.markers.catalogue import BANDS, COUPLING_KINDS, SPINDLE_KINDS


class Formula(NamedTuple):
    """How a marker is computed, and the source of the method."""

    formula: str
    source: str


_AASM = "AASM Manual for the Scoring of Sleep and Associated Events"
_CYCLES = "Feinberg & Floyd 1979, doi:10.1111/j.1469-8986.1979.tb02991.x"
_BOUTS = "Svetnik et al. 2018, doi:10.1093/sleep/zsx178"
_SPINDLE = "Lacourse et al. 2019, doi:10.1016/j.jneumeth.2018.08.014"
_CLASS = "doi:10.3389/fnhum.2017.00433"
_WAVE = (
    "Massimini et al. 2004, doi:10.1523/JNEUROSCI.1318-04.2004; "
    "Carrier et al. 2011, doi:10.1111/j.1460-9568.2010.07543.x"
)
_COUPLED = "Kurz et al. 2021, doi:10.1093/sleep/zsaa290"
_VECTOR = f"{_COUPLED}; Kutil 2012, doi:10.1080/02331888.2010.543463"
_INDEX = "Tort et al. 2010, doi:10.1152/jn.00106.2010"
_MULTITAPER = "Prerau et al. 2017, doi:10.1152/physiol.00062.2015"
_IRASA = "Wen & Liu 2016, doi:10.1007/s10548-015-0448-0"
_INFRASLOW = "Lecci et al. 2017, doi:10.1126/sciadv.1602026"
_YASA = "Vallat & Walker 2021, doi:10.7554/eLife.70092"
_OWN = "eegsleep; measured in tests/benchmarks/measures_of_sleep.py"

_THIRDS = ("first", "middle", "last")

_SLEEP = {
    "tib_min": ("lights on − lights off", _AASM),
    "unscored_min": ("0.5 × epochs staged UNS in the time in bed", _AASM),
    "tst_min": ("0.5 × epochs staged N1, N2, N3 or R", _AASM),
    "sleep_efficiency_percent": ("100 × TST / TIB", _AASM),
    "sol_min": ("first epoch of any sleep stage − lights off", _AASM),
    "waso_min": ("0.5 × epochs staged W after sleep onset, up to lights on", _AASM),
    "sleep_period_min": ("end of the last epoch of sleep − start of the first", _AASM),
    "wake_in_sleep_period_min": ("0.5 × epochs staged W in the sleep period", _AASM),
    "persistent_sleep_latency_min": ("start of the first 10 min of unbroken sleep − lights off", _AASM),
    "awakenings": ("number of runs of one or more W epochs in the sleep period", _AASM),
    "awakenings_per_h": ("awakenings / TST in hours", _AASM),
    "fragmentation_per_h": (
        "(changes from sleep to W + changes from N2, N3 or R to N1) / TST in hours",
        "Morrell et al. 2000, doi:10.1164/ajrccm.162.6.9904008",
    ),
    "stage_transitions_per_h": (
        "changes of stage in the sleep period / TST in hours",
        "Haba-Rubio et al. 2004, doi:10.1016/j.sleep.2004.06.007",
    ),
    **{f"{stage}_min": (f"0.5 × epochs staged {code}", _AASM) for stage, code in (("n1", "N1"), ("n2", "N2"))},
    **{f"{stage}_min": (f"0.5 × epochs staged {code}", _AASM) for stage, code in (("n3", "N3"), ("rem", "R"))},
    **{f"{stage}_percent": (f"100 × minutes of {stage.upper()} / TST", _AASM) for stage in ("n1", "n2", "n3", "rem")},
    "n3_latency_min": ("first epoch of N3 − first epoch of sleep", _AASM),
    "rem_latency_min": ("first epoch of R − first epoch of sleep", _AASM),
    "rem_absent": ("1 if no epoch is staged R, else 0", _AASM),
    "n3_absent": ("1 if no epoch is staged N3, else 0", _AASM),
    "nrem_rem_cycles": (
        "number of NREM periods of 15 min or more that REM of 5 min or more (the first: of any length) ends",
        _CYCLES,
    ),
    "cycle_length_min": ("mean of (end of its REM period − first N2 or N3 epoch) over complete cycles", _CYCLES),
    "rem_latency_asleep_min": ("0.5 × epochs of sleep before the first R", _AASM),
    "rem_first_third_min": ("0.5 × epochs staged R in the first third of the sleep period", _AASM),
    "wake_bouts_over_2_min": ("number of runs of W longer than 2 min in the sleep period", _BOUTS),
    "wake_in_long_bouts_min": ("summed length of the runs of W longer than 2 min in the sleep period", _BOUTS),
    "wake_bouts_up_to_2_min": ("number of runs of W of 2 min or less in the sleep period", _BOUTS),
    "arousal_index_per_h": ("arousals marked in epochs of sleep / TST in hours", _AASM),
    **{
        f"{name}_{third}_third_min": (f"0.5 × epochs staged {code} in the {third} third of the sleep period", _AASM)
        for name, code in (("n3", "N3"), ("wake", "W"))
        for third in _THIRDS
    },
}
_SLOW_OSCILLATIONS = {
    "slow_oscillation_density_per_min": (
        "waves over the threshold in µV, K-complexes of N2 apart, / clean minutes of the stage",
        _WAVE,
    ),
    "slow_oscillation_ptp_uv": ("mean of positive peak − negative peak over these waves", _WAVE),
    "largest_waves_ptp_uv": ("mean over minutes of the mean height of the 5 highest waves of each minute", _OWN),
    "largest_waves_slope_uv_per_s": (
        "mean over minutes of the mean slope, from the negative peak to zero, of these 5 waves",
        _OWN,
    ),
    "largest_waves_slope_per_s": ("mean over minutes of that slope / that height", _OWN),
    "slow_oscillation_slope_uv_per_s": ("mean of height at the negative peak / time from there to zero", _WAVE),
    "slow_oscillation_duration_s": ("mean time from the first to the last crossing of zero", _WAVE),
    "slow_oscillation_fall_slope_uv_per_s": ("mean of height at the negative peak / time from zero to there", _WAVE),
    "slow_oscillation_slope_per_s": ("mean of slope / height, wave by wave", _OWN),
    "slow_oscillation_relative_density_per_min": (
        "waves over a multiple of the median wave of N2, K-complexes of N2 apart, / clean minutes of the stage",
        _OWN,
    ),
    "slow_oscillation_ptp_relative": ("mean of height / median height of the night's waves in N2", _OWN),
    "yasa_slow_oscillation_density_per_min": ("waves of yasa.sw_detect / clean minutes of the stage", _YASA),
    "slow_oscillation_recall_percent": ("100 × planted waves that were found / planted waves", _OWN),
    "slow_oscillation_relative_recall_percent": ("100 × planted waves that were found / planted waves", _OWN),
    "k_complex_density_per_min": ("isolated large waves in N2 / clean minutes of N2", _WAVE),
    "slow_wave_reference_uv": ("median height of all waves of N2, without a threshold", _OWN),
}
_SPINDLES = {
    "{p}spindle_density_per_min": ("{a}spindles / clean minutes of the stage", _SPINDLE),
    "{p}spindle_amplitude_uv": (
        "mean over {a}spindles of the largest peak-to-peak height within 2 Hz of their frequency",
        _SPINDLE,
    ),
    "{p}spindle_frequency_hz": ("mean over {a}spindles of the median instantaneous frequency", _CLASS),
    "{p}spindle_duration_s": ("mean over {a}spindles of last sample − first sample", _SPINDLE),
    "{p}spindle_chirp_hz_per_s": ("mean over {a}spindles of the slope of a line through instantaneous frequency", _OWN),
    "{p}spindle_absolute_density_per_min": (
        "{a}spindles whose sigma reaches a limit in µV / clean minutes of the stage",
        _OWN,
    ),
    "{p}spindle_relative_density_per_min": (
        "{a}spindles whose sigma reaches a multiple of the channel's median / clean minutes of the stage",
        _OWN,
    ),
}
_COUPLING = {
    "{p}coupling_phase_rad": ("angle of the mean of exp(i·phase) over {a}spindles, less what chance gives", _VECTOR),
    "{p}coupling_strength": (
        "length of the mean of exp(i·phase) over all {a}spindles (0 for one outside every wave), less what chance "
        "gives, divided by the share of it that noise leaves of planted spindles",
        _VECTOR,
    ),
    "{p}spindles_coupled_excess_percent": ("100 × (p − e) / (1 − e), p coupled and e expected by chance", _VECTOR),
    "{p}spindles_coupled_percent": (
        "100 × {a}spindles whose centre is within 1.2 s of a negative peak / {a}spindles",
        _COUPLED,
    ),
    "{p}spindles_coupled_expected_percent": ("100 × share of the clean sleep within 1.2 s of a negative peak", _OWN),
    "{p}coupled_spindle_density_per_min": ("coupled {a}spindles / clean minutes of the stage", _COUPLED),
}
_BAND = {
    "{band}_power_uv2": ("mean over clean epochs of the multitaper power of the band", _MULTITAPER),
    "{band}_power_ln_uv2": ("mean over clean epochs of ln(multitaper power of the band)", _MULTITAPER),
    "{band}_relative_percent": ("100 × mean power of the band / mean power of 0.5–30 Hz", _MULTITAPER),
}
_FINE = ("slow_delta", "delta", "sigma_low", "sigma_mid", "sigma_high", "beta_low", "beta_high", "gamma")
_SPECTRUM = {
    "aperiodic_exponent": (
        "−slope of a line through log power over log frequency, 18–30 Hz",
        "Lendner et al. 2020, doi:10.7554/eLife.55092; Kozhemiako et al. 2022, doi:10.1523/ENEURO.0094-22.2022",
    ),
    "aperiodic_level": ("height of that line at 23 Hz", "Lendner et al. 2020, doi:10.7554/eLife.55092"),
    **{
        f"{band}_power_uv2": ("mean over clean epochs of the multitaper power of the band", _MULTITAPER)
        for band in _FINE
    },
    "infraslow_sigma_db": (
        "10 × log10(density at 0.0125–0.0275 Hz / density at 0.04–0.1 Hz) of the share of each 5 s of N2 with large "
        "sigma",
        _INFRASLOW,
    ),
    "infraslow_sigma_peak_hz": ("frequency at which that power is largest", _INFRASLOW),
    **{
        f"spindle_density_{third}_third_per_min": (
            f"spindles in N2 and N3 / their clean minutes, {third} third of the sleep period",
            _SPINDLE,
        )
        for third in _THIRDS
    },
    "sigma_oscillatory_power_uv2": ("power of 11–16 Hz − its aperiodic part by IRASA", _IRASA),
    "fast_sigma_peak_hz": (
        "frequency in 12.5–16 Hz at which spectrum / aperiodic part is largest",
        f"{_IRASA}; {_CLASS}",
    ),
    "fast_sigma_peak_power_uv2": ("power within 1 Hz of that peak − its aperiodic part", _IRASA),
    "coupling_modulation_index": (
        "(ln n − entropy of sigma's envelope over n phases) / ln n, less its mean over random shifts; n = 18",
        _INDEX,
    ),
    "eye_movements_per_min": (
        "peaks of the slope of the EOG beyond a limit / clean minutes of REM",
        "eegsleep; the limit is the setting spectrum.eye_slope_uv_per_s",
    ),
    "first_hour_swa_power_uv2": (
        "mean power of 0.5–4 Hz over the clean epochs of the first 60 min of NREM",
        _MULTITAPER,
    ),
    "swa_decay_percent_per_h": ("100 × (1 − exp(slope of ln power of 0.5–4 Hz over hours of NREM))", _MULTITAPER),
    "first_cycle_swa_power_uv2": (
        "mean power of 0.5–4 Hz over the clean NREM epochs of the first cycle",
        f"{_MULTITAPER}; {_CYCLES}",
    ),
    "time_in_bed_swa_power_uv2": ("mean power of 0.5–4 Hz over all clean epochs of the time in bed", _MULTITAPER),
    "swa_decline_percent_per_cycle": (
        "100 × (1 − exp(slope of ln power of 0.5–4 Hz over the number of the cycle))",
        f"{_MULTITAPER}; {_CYCLES}",
    ),
}
_SEEING = {
    "spindle_recall_percent": (
        "100 × planted spindles that were found / planted spindles",
        "Purcell et al. 2017, doi:10.1038/ncomms15930",
    ),
    "spindle_corrected_density_per_min": (
        "sum over spindles of 1 / recall at their size / clean minutes of the stage",
        _OWN,
    ),
    "low_sigma_burst_density_per_min": ("bursts of 9–11 Hz / clean minutes of the stage", _OWN),
    "yasa_spindle_density_per_min": ("spindles of yasa.spindles_detect / clean minutes of the stage", _YASA),
    "gain_reference_uv": ("lower quartile, over clean epochs of N2 and N3, of the RMS of 30–40 Hz", _OWN),
    "n2_slow_wave_activity_uv2": (
        "median over clean epochs of N2 of the power of 0.4–4 Hz, at the gain of reference",
        _OWN,
    ),
    "staging_level_uv": ("amplitude of 4–30 Hz in the median epoch of sleep", _OWN),
}


def _build() -> dict[str, Formula]:
    formulas = {**_SLEEP, **_SLOW_OSCILLATIONS, **_SPECTRUM, **_SEEING}
    for table, kinds in ((_SPINDLES, SPINDLE_KINDS), (_COUPLING, COUPLING_KINDS)):
        for p, a in kinds.items():
            formulas |= {name.format(p=p): (text.format(a=a), source) for name, (text, source) in table.items()}
    for band, *_ in BANDS:
        formulas |= {name.format(band=band): entry for name, entry in _BAND.items()}
    return {name: Formula(*entry) for name, entry in formulas.items()}


FORMULAS: dict[str, Formula] = _build()
