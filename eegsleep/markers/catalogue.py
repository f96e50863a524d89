"""The catalogue of markers: name, meaning, and how to interpret a difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FAMILIES = {
    "A": "Onset and maintenance",
    "B": "Slow-wave restoration (proxy)",
    "C": "REM",
    "D": "Memory consolidation",
    "E": "Next day",  # measured on the day after, so that one night alone holds none
    "context": "Context",
}


@dataclass(frozen=True)
class Marker:
    """One marker, and how to interpret a difference in it.

    Attributes
    ----------
    name, label : str
        Its name in the table, and in a report.
    family : str
        Key of `FAMILIES`.
    unit : str
        Unit of its value; empty where it has none.
    direction : {"+", "-", "0"}
        Whether more of it is usually better, worse, or neither.
    smallest_effect : float or None
        Smallest difference that matters by default; None for a marker that is not an outcome.
    smallest_effect_unit : str
        Unit of that difference; `"SD"` is the standard deviation between nights of one person.
    meaning : str
        One sentence.
    rem_family : str
        Its family where it is measured in REM, if that is another. In wake every marker is context.
    """

    name: str
    label: str
    family: str
    unit: str
    direction: Literal["+", "-", "0"]
    smallest_effect: float | None
    smallest_effect_unit: str
    meaning: str
    rem_family: str = ""

    def family_in(self, stage: str) -> str:
        """Return the family of the marker in `stage`."""
        if stage == "W":
            return "context"
        return self.rem_family if stage == "R" and self.rem_family else self.family

    def direction_in(self, stage: str) -> Literal["+", "-", "0"]:
        """Return the direction in `stage`; "0" in wake, and in REM where the marker has another family there."""
        return "0" if stage == "W" or (stage == "R" and self.rem_family) else self.direction


_SD = (0.5, "SD")  # half a within-person standard deviation, for markers without a published smallest effect
_NONE = (None, "")

# name, label, family, unit, direction, smallest effect, meaning. Smallest effects in minutes and points: AASM
# guideline,
# Edinger et al. 2021 (PMC7853211), table 3. They are of patients with insomnia; where half of what the control nights
# have is less, that is the bound (`eegsleep.study.arrangement.bound_in_unit`).
#
# A marker has a direction only where more (or less) of it is better whatever else happens: shares are of a whole and
# move
# with the other parts, steepness grows with sleep loss, latencies to N3 are not stable from night to night, and the
# amplitude of waves above a threshold hides a change of amplitude.
# fmt: off
_SLEEP = (
    ("tib_min", "Time in bed", "context", "min", "0", _NONE,
     "Lights off to lights on; behaviour, not an outcome."),
    ("unscored_min", "Unscored", "context", "min", "0", _NONE, "Time in bed without a stage."),
    ("tst_min", "Total sleep time", "A", "min", "+", (15.0, "min"), "Minutes of N1, N2, N3 and REM."),
    ("sleep_efficiency_percent", "Sleep efficiency", "A", "%", "+", (10.0, "percentage points"),
     "Share of the time in bed that was slept."),
    ("sol_min", "Sleep onset latency", "A", "min", "-", (20.0, "min"), "Lights off to the first sleep."),
    ("waso_min", "Wake after sleep onset", "A", "min", "-", (20.0, "min"),
     "Wake from sleep onset to lights on, wake after the final awakening included."),
    ("sleep_period_min", "Sleep period", "context", "min", "0", _NONE, "First to last epoch of sleep."),
    ("wake_in_sleep_period_min", "Wake in the sleep period", "A", "min", "-", (20.0, "min"),
     "Wake between the first and the last epoch of sleep; known without lights off and on."),
    ("persistent_sleep_latency_min", "Latency to persistent sleep", "A", "min", "-", _SD,
     "Lights off to the first ten minutes of unbroken sleep."),
    ("awakenings", "Awakenings", "A", "n", "-", _SD, "Runs of wake within the sleep period."),
    ("awakenings_per_h", "Awakenings per hour", "A", "/h", "-", _SD, "Awakenings per hour of sleep."),
    ("fragmentation_per_h", "Fragmentation", "A", "/h", "-", _SD,
     "Awakenings and shifts to N1 from deeper sleep, per hour of sleep."),
    ("stage_transitions_per_h", "Stage transitions", "A", "/h", "0", _SD, "Stage changes per hour of sleep."),
    ("n1_min", "N1", "A", "min", "-", _SD, "Minutes of N1, the lightest sleep."),
    ("n1_percent", "N1 share", "A", "%", "0", _SD, "N1 as a share of sleep."),
    ("n2_min", "N2", "context", "min", "0", _SD, "Minutes of N2."),
    ("n2_percent", "N2 share", "context", "%", "0", _SD, "N2 as a share of sleep."),
    ("n3_min", "N3", "B", "min", "+", _SD, "Minutes of N3, slow-wave sleep."),
    ("n3_percent", "N3 share", "B", "%", "0", _SD, "N3 as a share of sleep."),
    ("n3_latency_min", "N3 latency", "B", "min", "0", _SD, "Sleep onset to the first N3."),
    ("rem_min", "REM", "C", "min", "0", _SD, "Minutes of REM sleep."),
    ("rem_percent", "REM share", "C", "%", "0", _SD, "REM as a share of sleep."),
    ("rem_latency_min", "REM latency", "C", "min", "0", (20.0, "min"), "Sleep onset to the first REM."),
    ("rem_absent", "REM absent", "C", "", "0", _NONE, "1 where the night has no REM, else 0."),
    ("n3_absent", "N3 absent", "B", "", "-", _NONE, "1 where the night has no N3, else 0."),
    ("nrem_rem_cycles", "NREM-REM cycles", "context", "n", "0", _SD, "NREM periods that a REM period ended."),
    ("cycle_length_min", "Cycle length", "context", "min", "0", _SD, "Mean length of the complete cycles."),
    ("rem_latency_asleep_min", "REM latency without wake", "C", "min", "0", _SD,
     "Minutes of sleep from sleep onset to the first REM."),
    ("rem_first_third_min", "REM in the first third", "C", "min", "0", _SD,
     "Minutes of REM in the first third of the sleep period."),
    ("wake_bouts_over_2_min", "Long bouts of wake", "A", "n", "-", _SD,
     "Runs of wake over 2 min within the sleep period; their shortening goes with better sleep quality "
     "(Svetnik et al. 2018, doi:10.1093/sleep/zsx178)."),
    ("wake_in_long_bouts_min", "Wake in long bouts", "A", "min", "-", _SD, "Minutes of wake in runs over 2 min."),
    ("wake_bouts_up_to_2_min", "Short bouts of wake", "A", "n", "0", _SD,
     "Runs of wake up to 2 min within the sleep period, which say little of sleep quality (Svetnik et al. 2018)."),
    ("arousal_index_per_h", "Arousal index", "A", "/h", "-", _SD,
     "Arousals that were marked by hand, per hour of sleep; not measured where none were marked."),
    *((f"{stage}_{third}_third_min", f"{spoken} in the {third} third", "context", "min", "0", _SD,
       f"Minutes of {meant} in the {third} third of the sleep period.")
      for stage, spoken, meant in (("n3", "N3", "N3"), ("wake", "Wake", "wake"))
      for third in ("first", "middle", "last")),
)
_SLOW_OSCILLATIONS = (
    ("slow_oscillation_density_per_min", "Slow oscillation density", "B", "/min", "+", _SD,
     "Slow oscillations per clean minute of the stage; in N2 or N3 alone it also follows where the border between them "
     "was drawn."),
    ("slow_oscillation_ptp_uv", "Slow oscillation amplitude", "B", "µV", "0", _SD,
     "Mean height of the waves above a threshold in microvolts: where all waves grow, more small ones pass it, so that "
     "this hides most of the change. Follows electrode fit as well as sleep."),
    ("largest_waves_ptp_uv", "Amplitude of the largest waves", "B", "µV", "+", _SD,
     "Mean height of the five largest slow waves of each minute, without a threshold: follows amplitude in proportion, "
     "and electrode fit as well."),
    ("largest_waves_slope_uv_per_s", "Slope of the largest waves", "B", "µV/s", "0", _SD,
     "Mean steepness of their rise; it follows their height."),
    ("largest_waves_slope_per_s", "Slope of the largest waves less amplitude", "B", "/s", "0", _SD,
     "That over their height: steepness that a higher wave alone does not have; steeper after sleep loss."),
    ("slow_oscillation_slope_uv_per_s", "Slow oscillation slope", "B", "µV/s", "0", _SD,
     "Mean steepness of the rise from the down state."),
    ("slow_oscillation_duration_s", "Slow oscillation duration", "B", "s", "0", _SD,
     "Mean duration of slow oscillations."),
    ("slow_oscillation_fall_slope_uv_per_s", "Slow oscillation fall", "B", "µV/s", "0", _SD,
     "Mean steepness of the fall into the down state."),
    ("slow_oscillation_slope_per_s", "Slow oscillation slope less amplitude", "B", "/s", "0", _SD,
     "Mean rise over height: steepness that a higher wave alone does not have."),
    ("slow_oscillation_relative_density_per_min", "Slow oscillation density, relative", "B", "/min", "0", _SD,
     "Slow oscillations by multiples of the night's own waves in N2: immune to electrode fit, and nearly blind to a "
     "change of all amplitudes. It falls when only the background grows, with the same slow oscillations: then it is "
     "the yardstick that grew. Neither good nor bad by itself."),
    ("slow_oscillation_ptp_relative", "Slow oscillation amplitude, relative", "B", "", "0", _SD,
     "Their mean height in multiples of the night's own waves in N2."),
    ("yasa_slow_oscillation_density_per_min", "Slow oscillation density by YASA", "context", "/min", "0", _NONE,
     "By YASA's detector with its own defaults: whether the result hangs on our detector."),
    ("slow_oscillation_recall_percent", "Slow oscillations seen", "context", "%", "0", _NONE,
     "Share of slow oscillations planted into this sleep that the detector found."),
)
# One row for each of all, slow and fast spindles; slow ones, hardly above the background at central sites and seldom
# confirmed by experts, have no direction. {p} is the prefix of the name, {a} the adjective.
_SPINDLES = (
    ("{p}spindle_density_per_min", "{a}spindle density", "D", "/min", "+", _SD,
     "{a}spindles per clean minute of the stage."),
    ("{p}spindle_amplitude_uv", "{a}spindle amplitude", "D", "µV", "0", _SD,
     "Mean peak-to-peak sigma amplitude of {a}spindles; follows electrode fit as well as sleep."),
    ("{p}spindle_frequency_hz", "{a}spindle frequency", "D", "Hz", "0", _SD,
     "Mean frequency of {a}spindles."),
    ("{p}spindle_duration_s", "{a}spindle duration", "D", "s", "0", _SD, "Mean duration of {a}spindles."),
    ("{p}spindle_chirp_hz_per_s", "{a}spindle chirp", "D", "Hz/s", "0", _SD,
     "Mean change of frequency within {a}spindles; negative where they slow."),
    ("{p}spindle_absolute_density_per_min", "{a}spindle density, absolute", "D", "/min", "0", _SD,
     "{a}spindles by amplitude in microvolts: follows sleep and electrode fit."),
    ("{p}spindle_relative_density_per_min", "{a}spindle density, relative", "D", "/min", "0", _SD,
     "{a}spindles by multiples of the night's own sigma: immune to fit, blind to a change of all sigma."),
)
# Of all spindles, and of the channel itself.
_SEEING = (
    ("spindle_recall_percent", "Spindles seen", "context", "%", "0", _NONE,
     "Share of spindles planted into this sleep that the detector found."),
    ("spindle_corrected_density_per_min", "Spindle density corrected for recall", "D", "/min", "0", _NONE,
     "Density if each spindle stood for those of its size that were missed: a large correction, because the limits of "
     "an expert lie where recall is steep, and therefore without a direction."),
    ("low_sigma_burst_density_per_min", "Sigma bursts under 11 Hz", "context", "/min", "0", _NONE,
     "Bursts of 9-11 Hz per clean minute on frontal channels: below the AASM's band, seldom confirmed by experts, and "
     "like the alpha of arousals. Exploratory."),
    ("slow_oscillation_relative_recall_percent", "Slow oscillations seen, relative", "context", "%", "0", _NONE,
     "Share of waves planted in multiples of the night's own waves that the relative view found."),
    ("yasa_spindle_density_per_min", "Spindle density by YASA", "context", "/min", "0", _NONE,
     "By YASA's detector with its own defaults, whose number falls when slow waves grow."),
    ("k_complex_density_per_min", "K-complex density", "context", "/min", "0", _SD,
     "Isolated large waves in N2 per clean minute."),
    ("gain_reference_uv", "Gain check", "context", "µV", "0", _NONE,
     "Amplitude of 30-40 Hz in the quietest NREM, which a compound should hardly touch: where it differs between "
     "nights, suspect the electrodes."),
    ("slow_wave_reference_uv", "Slow-wave reference", "context", "µV", "0", _NONE,
     "Median height of all slow waves in N2, by which the relative view divides."),
    ("n2_slow_wave_activity_uv2", "Slow-wave activity of N2", "context", "µV²", "0", _NONE,
     "Median power of 0.4-4 Hz in N2 at the gain of reference, by which nights are compared at equal slow waves."),
    ("staging_level_uv", "Level for staging", "context", "µV", "0", _NONE,
     "Amplitude of 4-30 Hz in the median epoch of sleep, by which staging divides the channel."),
)
_COUPLING = (
    ("{p}coupling_phase_rad", "{a}spindle coupling phase", "D", "rad", "0", _SD,
     "Mean phase of the slow oscillation at {a}spindles, chance taken off; 0 is the up state."),
    ("{p}coupling_strength", "{a}spindle coupling strength", "D", "", "+", _SD,
     "Length of the mean vector of that phase over all {a}spindles, coupled or not, less chance: share times "
     "concentration, 0 to 1; about 0, or just below, without coupling."),
    ("{p}spindles_coupled_excess_percent", "{a}spindles coupled beyond chance", "D", "%", "+", _SD,
     "Share of {a}spindles whose place on a slow oscillation chance does not explain, (p - e) / (1 - e)."),
    ("{p}spindles_coupled_percent", "{a}spindles coupled", "context", "%", "0", _NONE,
     "Share of {a}spindles near a slow oscillation, by chance or not: it grows with the number of slow oscillations."),
    ("{p}spindles_coupled_expected_percent", "{a}spindles coupled by chance", "context", "%", "0", _NONE,
     "What chance alone would couple: the part of the sleep that the windows of slow oscillations cover."),
    ("{p}coupled_spindle_density_per_min", "coupled {a}spindle density", "context", "/min", "0", _NONE,
     "{a}spindles near a slow oscillation per clean minute: it grows with spindles, with waves and by chance."),
)
# name, spoken, family, direction of power (shares have none), family in REM
BANDS = (
    ("swa", "slow-wave activity (0.5-4 Hz)", "B", "+", "context"),
    ("low_delta", "low delta (0.5-1 Hz)", "B", "+", "context"),
    ("theta", "theta (4-8 Hz)", "context", "0", "C"),
    ("alpha", "alpha (8-12 Hz)", "context", "0", ""),
    ("sigma", "sigma (11-16 Hz)", "D", "0", "context"),
    ("beta", "beta (15-30 Hz)", "context", "0", ""),
)
_OTHER_SPECTRUM = (
    ("aperiodic_exponent", "Aperiodic exponent", "context", "", "0", _SD,
     "Steepness of the spectrum at 18-30 Hz, between sigma and the usual low-pass; the larger, the steeper. "
     "Muscle and the "
     "amplifier's noise flatten it, a low-pass steepens it: neither good nor bad.", "context"),
    ("aperiodic_level", "Aperiodic level", "context", "log10 µV²/Hz", "0", _SD,
     "Height of that line at 23 Hz; follows electrode fit as well as sleep.", "context"),
    ("slow_delta_power_uv2", "Slow delta (0.25-1 Hz)", "context", "µV²", "0", _SD, "Power of 0.25-1 Hz in NREM."),
    ("delta_power_uv2", "Delta (1-4.5 Hz)", "context", "µV²", "0", _SD, "Power of 1-4.5 Hz in NREM."),
    ("sigma_low_power_uv2", "Sigma 10-12 Hz", "context", "µV²", "0", _SD,
     "Power of 10-12 Hz in NREM. Compounds move the parts of sigma apart, which one band of 11-16 Hz cancels."),
    ("sigma_mid_power_uv2", "Sigma 12-13.5 Hz", "context", "µV²", "0", _SD, "Power of 12-13.5 Hz in NREM."),
    ("sigma_high_power_uv2", "Sigma 13.5-16 Hz", "context", "µV²", "0", _SD, "Power of 13.5-16 Hz in NREM."),
    ("beta_low_power_uv2", "Beta 15-23 Hz", "context", "µV²", "0", _SD,
     "Power of 15-23 Hz in NREM: a sign of sedatives and of hyperarousal alike."),
    ("beta_high_power_uv2", "Beta 23-30 Hz", "context", "µV²", "0", _SD, "Power of 23-30 Hz in NREM."),
    ("gamma_power_uv2", "Gamma 30-45 Hz", "context", "µV²", "0", _SD,
     "Power of 30-45 Hz in NREM: muscle, the amplifier's noise and its low-pass are part of it."),
    ("infraslow_sigma_db", "Infraslow sigma", "context", "dB", "0", _NONE,
     "How much sigma waxes and wanes about every 50 s in N2 (Lecci et al. 2017, doi:10.1126/sciadv.1602026). "
     "Exploratory: a change of less than 1 dB needs many nights."),
    ("infraslow_sigma_peak_hz", "Infraslow sigma frequency", "context", "Hz", "0", _NONE,
     "Where that fluctuation is largest, about 0.02 Hz."),
    *((f"spindle_density_{third}_third_per_min", f"Spindle density, {third} third", "context", "/min", "0", _SD,
       f"Spindles per clean minute of N2 and N3 in the {third} third of the sleep period.")
      for third in ("first", "middle", "last")),
    ("sigma_oscillatory_power_uv2", "Sigma above the background", "D", "µV²", "0", _SD,
     "Power at 11-16 Hz less the aperiodic part.", "context"),
    ("fast_sigma_peak_hz", "Fast sigma peak", "D", "Hz", "0", _SD,
     "Where the spectrum above the background peaks among fast spindles' frequencies."),
    ("fast_sigma_peak_power_uv2", "Power at the fast sigma peak", "D", "µV²", "0", _SD,
     "Power within 1 Hz of that peak, above the background."),
    ("coupling_modulation_index", "Modulation index", "D", "", "0", _SD,
     "How unevenly sigma spreads over the phases of the slow oscillation, less chance; it grows with the number of "
     "spindles."),
    ("eye_movements_per_min", "Eye movement density", "C", "/min", "0", _SD,
     "Rapid eye movements per clean minute of REM.", "C"),
    ("first_hour_swa_power_uv2", "Slow-wave activity of the first hour", "B", "µV²", "+", _SD,
     "Power at 0.5-4 Hz in the first 60 min of NREM."),
    ("swa_decay_percent_per_h", "Decay of slow-wave activity", "B", "%/h", "0", _SD,
     "How much slow-wave activity falls in an hour of NREM; positive is a fall."),
    ("first_cycle_swa_power_uv2", "First-cycle slow-wave activity", "B", "µV²", "+", _SD,
     "Power at 0.5-4 Hz in the NREM sleep of the first cycle, where sleep pressure is highest."),
    ("time_in_bed_swa_power_uv2", "Slow-wave activity in bed", "B", "µV²", "+", _SD,
     "Power at 0.5-4 Hz over the whole time in bed, whatever the stage: where N3 changes and this does not, "
     "doubt the stages."),
    ("swa_decline_percent_per_cycle", "Decline of slow-wave activity", "B", "%/cycle", "0", _SD,
     "How much slow-wave activity falls from one cycle to the next; positive is a fall."),
)
# fmt: on
SPINDLE_KINDS = {"": "", "fast_": "fast ", "slow_": "slow "}
COUPLING_KINDS = {"": "", "fast_": "fast "}


def _build_catalogue() -> dict[str, Marker]:
    rows: list[tuple] = [*_SLEEP]
    for table, kinds in ((_SPINDLES, SPINDLE_KINDS), (_COUPLING, COUPLING_KINDS)):
        for p, a in kinds.items():
            rows += [
                (
                    name.format(p=p),
                    _sentence(label, a),
                    family,
                    unit,
                    "0" if p == "slow_" else direction,
                    *rest,
                    _sentence(meaning, a),
                )
                for name, label, family, unit, direction, *rest, meaning in table
            ]
    rows += _SLOW_OSCILLATIONS
    for band, spoken, family, direction, rem in BANDS:
        power, share = f"Power of {spoken}, mean over clean epochs.", f"{spoken} as a share of 0.5-30 Hz."
        rows += [
            (f"{band}_power_uv2", _sentence(spoken), family, "µV²", direction, _SD, power, rem),
            (
                f"{band}_power_ln_uv2",
                _sentence(f"log {spoken}"),
                family,
                "ln µV²",
                direction,
                _SD,
                f"Mean over clean epochs of the natural logarithm of {spoken}.",
                rem,
            ),
            (
                f"{band}_relative_percent",
                _sentence(f"relative {spoken}"),
                family,
                "%",
                "0",
                _SD,
                _sentence(share),
                rem,
            ),
        ]
    rows += [*_OTHER_SPECTRUM, *_SEEING]
    markers = (Marker(*row[:5], *row[5], *row[6:]) for row in rows)
    return {marker.name: marker for marker in markers}


def _sentence(text: str, adjective: str = "") -> str:
    text = text.format(a=adjective)
    return text[0].upper() + text[1:]


CATALOGUE: dict[str, Marker] = _build_catalogue()
