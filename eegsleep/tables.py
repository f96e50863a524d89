"""Every table eegsleep writes, declared once: its columns, their types, units and meanings.

A table is a plain `pandas.DataFrame`. `check_table` is called where a table is made, so that a
missing column or a wrong type is found there and not by a reader of the file. On disk a table is
a CSV with a JSON sidecar in the form BIDS uses for tabular files.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eegsleep.errors import TableError
from eegsleep.provenance import encode_json

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Kind = Literal["int", "float", "str", "bool"]
_DTYPES = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}
# Spreadsheets run a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """One column: a name that carries its unit, a type, the unit again in full, and a meaning."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A table's name (its file is `<name>.csv`), what one row is, and its columns in order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in the order they are written."""
        return [column.name for column in self.columns]


def _onset(what: str) -> Column:
    return Column("onset_s", "float", f"Start of the {what}, from the first sample of the recording.", "s")


_EPOCH = Column("epoch", "int", "Number of the 30 s epoch, counted from 0.")
_CHANNEL = Column("channel", "str", "Label of the derivation, as the recording calls it.")
_STAGE = Column("stage", "str", "Sleep stage by AASM name: W, N1, N2, N3, R; UNS where unscored.")
_DURATION = Column("duration_s", "float", "From first to last sample of the event.", "s")
_FREQUENCY = Column("frequency_hz", "float", "Median instantaneous frequency.", "Hz")
_SPINDLE_CLASS = Column("spindle_class", "str", "slow or fast, by the spindle's own frequency.")
_CLEAN = Column("clean_min", "float", "Usable minutes of that stage and channel that the value rests on.", "min")
_REASON = Column("reason", "str", "Why the value is missing, or empty.")

HYPNOGRAM = Table(
    "hypnogram",
    "one 30 s epoch",
    (
        _EPOCH,
        _onset("epoch"),
        _STAGE,
        Column("p_wake", "float", "Probability of wake; missing where the stages were given, not scored."),
        Column("p_n1", "float", "Probability of N1."),
        Column("p_n2", "float", "Probability of N2."),
        Column("p_n3", "float", "Probability of N3."),
        Column("p_rem", "float", "Probability of REM."),
        Column("confidence", "float", "The largest of the five probabilities."),
        Column("usable", "bool", "Whether at least one staged derivation could be believed."),
        Column("agreement", "float", "Share of the usable derivations that give this stage by themselves; missing "
               "where fewer than two are usable."),
    ),
)  # fmt: skip

QUALITY = Table(
    "quality",
    "one 30 s epoch of one channel",
    (
        _EPOCH,
        _onset("epoch"),
        _CHANNEL,
        Column("role", "str", "eeg, eog or emg."),
        Column("rms_uv", "float", "Root mean square about the epoch's mean.", "µV"),
        Column("ptp_uv", "float", "Largest minus smallest sample.", "µV"),
        Column("flat_fraction", "float", "Share of one-second pieces with no signal in them."),
        Column("clipped_fraction", "float", "Share of samples held at the recorder's end of range."),
        Column("nonfinite_fraction", "float", "Share of samples that are missing."),
        Column("high_frequency_uv", "float", "Root mean square of 25–45 Hz: muscle, movement, bad contact.", "µV"),
        Column("movement_fraction", "float", "Share of seconds that burst out of the five minutes around."),
        Column("drift_uv", "float", "Range of the means of its seconds.", "µV"),
        Column("mains_uv", "float", "Amplitude of the stronger of 50 and 60 Hz at the recorded rate; missing where "
               "the rate does not reach them.", "µV"),
        Column("relative_gain", "float", "Size at 20–30 Hz over ten minutes against the other EEG derivations, 1 being "
               "its usual; missing for one alone and for other channels."),
        Column("usable", "bool", "Whether the epoch of this channel is believed."),
        Column("reason", "str", "Why it is not, or empty."),
    ),
)  # fmt: skip

_SPINDLE_MEASURES = (
    _CHANNEL,
    _STAGE,
    _onset("spindle"),
    _DURATION,
    Column("peak_s", "float", "Where the envelope at its own frequency is largest.", "s"),
    _FREQUENCY,
    Column("amplitude_uv", "float", "Peak to peak of the signal filtered within 2 Hz of its frequency.", "µV"),
    Column("amplitude_broadband_uv", "float", "Peak to peak of the broadband signal, trend removed.", "µV"),
    Column("n_oscillations", "int", "Positive peaks within the spindle."),
    Column("symmetry", "float", "Place of the largest peak, 0 at the onset to 1 at the end."),
)  # fmt: skip
_SPINDLE_JUDGEMENTS = (
    Column("chirp_hz_per_s", "float", "Change of its frequency; negative where it slows.", "Hz/s"),
    Column("envelope_uv", "float", "Largest peak-to-peak amplitude in the 2 Hz about its frequency.", "µV"),
    Column("sigma_ratio", "float", "That over the median of the channel's sigma (11–16 Hz) in the night's NREM."),
    Column("contrast", "float", "That over the median of the same frequency, within six seconds around or in the "
           "night's NREM, whichever is larger."),
    Column("concentration", "float", "How far it stands out above its frequency's median, over how far the "
           "frequencies 3–6 Hz above do."),
)  # fmt: skip

SPINDLES = Table(
    "spindles",
    "one spindle on one channel",
    (
        *_SPINDLE_MEASURES,
        _SPINDLE_CLASS,
        *_SPINDLE_JUDGEMENTS,
        Column("found_absolute", "bool", "Whether it is a spindle by amplitude in µV: follows effect and fit."),
        Column("found_relative", "bool", "Whether it is one by multiples of the night's own sigma: immune to fit."),
    ),
)

SPINDLE_CANDIDATES = Table(
    "spindle_candidates",
    "one rise of sigma on one channel that could be called a spindle",
    (
        *_SPINDLE_MEASURES,
        *_SPINDLE_JUDGEMENTS,
        Column("baseline_uv", "float", "Median of the channel's sigma in the night's NREM, peak to peak.", "µV"),
    ),
)

_WAVE_MEASURES = (
    _CHANNEL,
    _STAGE,
    _onset("slow oscillation, a crossing from positive to negative"),
    _DURATION,
    Column("neg_peak_s", "float", "Time of the negative peak (down state).", "s"),
    Column("mid_crossing_s", "float", "Time of the crossing from negative to positive.", "s"),
    Column("pos_peak_s", "float", "Time of the positive peak (up state).", "s"),
    Column("neg_peak_uv", "float", "Voltage at the negative peak.", "µV"),
    Column("pos_peak_uv", "float", "Voltage at the positive peak.", "µV"),
    Column("ptp_uv", "float", "From negative to positive peak.", "µV"),
    Column("slope_uv_per_s", "float", "Rise from the negative peak to the mid crossing.", "µV/s"),
    Column("frequency_hz", "float", "One over the duration.", "Hz"),
    Column("fall_slope_uv_per_s", "float", "Fall from the onset to the negative peak, as a positive number.", "µV/s"),
    Column("reference_uv", "float", "Median height of all waves of the band in usable N2 of this channel and night, "
           "which the relative view divides by; missing where there is too little N2.", "µV"),
    Column("ptp_relative", "float", "Height over that reference; a change of gain cancels."),
    Column("isolation_s", "float", "Time to the nearest wave at least half as high; missing if none is near.", "s"),
)  # fmt: skip

SLOW_OSCILLATION_CANDIDATES = Table(
    "slow_oscillation_candidates", "one wave on one channel that may be a slow oscillation", _WAVE_MEASURES
)

SLOW_OSCILLATIONS = Table(
    "slow_oscillations",
    "one slow oscillation on one channel, found by at least one of two definitions",
    (
        *_WAVE_MEASURES,
        Column("kind", "str", "slow_oscillation, or k_complex: large, sharp and alone in N2."),
        Column("found_absolute", "bool", "Whether it exceeds fixed microvolts, published or the person's own: the "
               "main definition, which follows electrode fit as well as sleep."),
        Column("found_relative", "bool", "Whether it exceeds a multiple of the reference: immune to electrode fit, "
               "nearly blind to a change of all amplitudes."),
    ),
)  # fmt: skip

COUPLING = Table(
    "coupling",
    "one spindle and the slow oscillation nearest to it on the same channel",
    (
        _CHANNEL,
        _STAGE,
        _SPINDLE_CLASS,
        Column("spindle_peak_s", "float", "Where the spindle's sigma envelope is largest.", "s"),
        Column("neg_peak_s", "float", "Negative peak of the nearest slow oscillation; missing if none.", "s"),
        Column("delay_s", "float", "Spindle peak minus negative peak.", "s"),
        Column("phase_rad", "float", "Phase of the slow oscillation at the spindle peak; 0 is the positive peak "
               "(up state), ±π the negative peak; missing for an uncoupled spindle.", "rad"),
        Column("coupled", "bool", "Whether the spindle peak lies in the window around the negative peak."),
    ),
)  # fmt: skip

COUPLING_SUMMARY = Table(
    "coupling_summary",
    "the coupling of one class of spindles in one stage on one channel",
    (
        _CHANNEL,
        Column("stage", "str", "N2, N3, or NREM (both)."),
        Column("spindle_class", "str", "slow, fast, or all."),
        Column("n", "int", "Spindles."),
        Column("n_coupled", "int", "Spindles whose peak lies in the window around a negative peak."),
        Column("percent", "float", "Coupled share of the spindles.", "%"),
        Column("expected_percent", "float", "The share that chance alone couples: the mean over random shifts of the "
               "spindles within their bouts of a stage.", "%"),
        Column("excess_percent", "float", "Coupled share minus the share expected by chance.", "%"),
        Column("phase_rad", "float", "Circular mean of the phases of coupled spindles; 0 is the up state.", "rad"),
        Column("strength", "float", "Squared resultant length of those phases without its bias."),
        Column("modulation_index", "float", "How unevenly the sigma envelope spreads over the phases of the slow "
               "oscillations, less what random shifts give; one value for all spindles, missing for a class."),
        _REASON,
    ),
)  # fmt: skip

SPECTRUM = Table(
    "spectrum",
    "one spectral measure of one channel in one stage",
    (
        _CHANNEL,
        Column("stage", "str", "W, N1, N2, N3, R, NREM (N2 and N3), or TIB (every scored epoch, whatever its stage)."),
        Column("cycle", "int", "NREM–REM cycle, counted from 1; 0 is the whole night."),
        Column("measure", "str", "Name of the measure."),
        Column("low_hz", "float", "Lower edge of its band.", "Hz"),
        Column("high_hz", "float", "Upper edge of its band.", "Hz"),
        Column("value", "float", "The measure, in the unit beside it."),
        Column("unit", "str", "Unit of the value."),
        Column("n_epochs", "int", "Usable epochs it rests on."),
        _CLEAN,
        _REASON,
    ),
)

MARKERS = Table(
    "markers",
    "one marker of one stage and channel",
    (
        Column("marker", "str", "Name of the marker; the catalogue gives its meaning."),
        Column("family", "str", "Family of the marker: A to E, or context."),
        Column("stage", "str", "Stage it was measured in; empty for the whole night."),
        Column("channel", "str", "Derivation it was measured on; empty if it belongs to none."),
        Column("value", "float", "The marker, in the unit beside it; missing is not zero."),
        Column("unit", "str", "Unit of the value."),
        Column("n", "int", "Events or epochs the value rests on."),
        _CLEAN,
        _REASON,
        Column("expected", "float", "Minutes by the probabilities of the stages, where the value is minutes counted; "
               "in the same unit."),
        Column("low", "float", "Lower end of the 95 % interval that unsure stages leave, in the same unit; missing "
               "where that was not worked out."),
        Column("high", "float", "Upper end of that interval."),
    ),
)  # fmt: skip

SIMULATED_STAGES = Table("stages", "one simulated 30 s epoch", (_EPOCH, _onset("epoch"), _STAGE))

SIMULATED_SPINDLES = Table(
    "spindles",
    "one planted spindle",
    (
        _STAGE,
        _onset("spindle"),
        _DURATION,
        Column("peak_s", "float", "Where its envelope is largest.", "s"),
        Column("frequency_hz", "float", "Mean frequency planted.", "Hz"),
        Column("amplitude_uv", "float", "Largest peak to peak planted, before the channel's gain.", "µV"),
        _SPINDLE_CLASS,
        Column("coupled", "bool", "Whether it was placed on a slow oscillation."),
        Column("phase_rad", "float", "Phase of that slow oscillation at the spindle's peak; missing if uncoupled.",
               "rad"),
    ),
)  # fmt: skip

SIMULATED_SLOW_OSCILLATIONS = Table(
    "slow_oscillations",
    "one planted slow oscillation or K-complex",
    (
        _STAGE,
        _onset("event"),
        _DURATION,
        Column("neg_peak_s", "float", "Time of the negative peak.", "s"),
        Column("pos_peak_s", "float", "Time of the positive peak.", "s"),
        Column("ptp_uv", "float", "Peak to peak planted, before the channel's gain.", "µV"),
        Column("kind", "str", "slow_oscillation or k_complex."),
    ),
)

SIMULATED_ARTEFACTS = Table(
    "artefacts",
    "one planted artefact",
    (_CHANNEL, Column("kind", "str", "What was planted."), _onset("artefact"), _DURATION),
)

AUDIT = Table(
    "audit",
    "planted events of one kind, stage and amplitude on one channel",
    (
        _CHANNEL,
        Column("kind", "str", "spindle or slow_oscillation."),
        _STAGE,
        Column("planted_uv", "float", "Peak to peak of the events planted.", "µV"),
        Column("n_planted", "int", "How many were planted."),
        Column("n_found", "int", "How many of these the detector found."),
        Column("recall", "float", "Share that was found."),
        Column("recall_low", "float", "Lower end of its 95 % interval (Wilson)."),
        Column("recall_high", "float", "Upper end of that interval."),
        Column("amplitude_bias_percent", "float", "Median of amplitude found over amplitude planted, less 100."),
        Column("frequency_bias_hz", "float", "Median of frequency found less frequency planted.", "Hz"),
        Column("chance_percent", "float", "How often a random moment of the stage has a native event near."),
    ),
)

NIGHT_TABLES = (
    HYPNOGRAM, QUALITY, SPINDLES, SLOW_OSCILLATIONS, SPINDLE_CANDIDATES, SLOW_OSCILLATION_CANDIDATES, COUPLING,
    COUPLING_SUMMARY, AUDIT, SPECTRUM, MARKERS,
)  # fmt: skip

_NIGHT = Column("night", "str", "Name of the night.")
_SUBJECT = Column("subject", "str", "Name of the sleeper.")
_LOW = "Lower end of its 95 % interval; missing with a reason where there are too few nights."
_HIGH = "Upper end of that interval."
_N_NIGHTS = Column("n_nights", "int", "Nights that have a value and enter.")
_N_SUBJECTS = Column("n_subjects", "int", "Sleepers of those nights.")
_NOTE = Column("reason", "str", "Why something is missing or left out, or empty.")

AGREEMENT_NIGHTS = Table(
    "agreement_nights",
    "one night scored twice",
    (
        _NIGHT,
        _SUBJECT,
        Column("n_total", "int", "Epochs of the night."),
        Column("n_epochs", "int", "Epochs that both scored; all that follows rests on these."),
        Column("unscored_reference", "int", "Epochs the reference left unscored."),
        Column("unscored_observed", "int", "Epochs the observed scoring left unscored."),
        Column("left_out_percent", "float", "Share of the night's epochs that one or both left unscored.", "percent"),
        Column("accuracy", "float", "Share of epochs given the same stage."),
        Column("kappa", "float", "Cohen's kappa, agreement beyond chance; missing if the reference has one stage."),
        Column("macro_f1", "float", "Mean F1 of the stages that the reference has."),
        Column("f1_w", "float", "F1 of wake; missing if neither scoring has any, 0 if only one has."),
        Column("f1_n1", "float", "F1 of N1, likewise."),
        Column("f1_n2", "float", "F1 of N2, likewise."),
        Column("f1_n3", "float", "F1 of N3, likewise."),
        Column("f1_r", "float", "F1 of REM, likewise."),
        _NOTE,
    ),
)

AGREEMENT_POOLED = Table(
    "agreement_pooled",
    "one measure of agreement over all nights, pooled in one way",
    (
        Column("measure", "str", "accuracy, kappa, macro_f1, or f1_ and the stage."),
        Column("pooling", "str", "mean of nights, median of nights, or all epochs (of all nights, counted together)."),
        Column("value", "float", "The measure."),
        Column("low", "float", _LOW),
        Column("high", "float", _HIGH),
        _N_NIGHTS,
        _N_SUBJECTS,
        Column("n_resamples", "int", "Bootstrap samples of sleepers (of nights, if there is one sleeper); 0 if none."),
        Column("seed", "int", "Seed of the bootstrap."),
        _NOTE,
    ),
)

AGREEMENT_CONFUSION = Table(
    "agreement_confusion",
    "one stage of the reference met by one stage of the observed scoring, all nights together",
    (
        Column("reference", "str", "Stage in the reference."),
        Column("observed", "str", "Stage in the observed scoring."),
        Column("n_epochs", "int", "Epochs so scored."),
        Column("share", "float", "Of the epochs with that stage in the reference; missing if there are none."),
    ),
)

AGREEMENT_STATISTICS = Table(
    "agreement_statistics",
    "one sleep statistic of one night, from both scorings over the epochs both scored",
    (
        _NIGHT,
        _SUBJECT,
        Column("statistic", "str", "Name of the sleep statistic."),
        Column("unit", "str", "Unit of the values."),
        Column("reference", "float", "From the reference."),
        Column("observed", "float", "From the observed scoring."),
        Column("difference", "float", "Observed minus reference."),
        _NOTE,
    ),
)

AGREEMENT_MINUTES = Table(
    "agreement_minutes",
    "one sleep statistic over all nights: how far the observed scoring is off",
    (
        Column("statistic", "str", "Name of the sleep statistic."),
        Column("unit", "str", "Unit of the values."),
        Column("reference_mean", "float", "Mean over nights, from the reference."),
        Column("observed_mean", "float", "Mean over nights, from the observed scoring."),
        Column("bias", "float", "Mean over nights of observed minus reference."),
        Column("bias_low", "float", _LOW),
        Column("bias_high", "float", _HIGH),
        Column("sd", "float", "Standard deviation of the difference in a new night of a new sleeper."),
        Column("loa_lower", "float", "Lower limit of agreement, bias - 1.96 sd: 95 % of nights lie between the two."),
        Column("loa_lower_low", "float", _LOW),
        Column("loa_lower_high", "float", _HIGH),
        Column("loa_upper", "float", "Upper limit of agreement, bias + 1.96 sd."),
        Column("loa_upper_low", "float", _LOW),
        Column("loa_upper_high", "float", _HIGH),
        Column(
            "slope",
            "float",
            "Change of the difference with the mean of both scorings: proportional bias, or one scoring being noisier.",
        ),
        Column("slope_low", "float", _LOW),
        Column("slope_high", "float", _HIGH),
        _N_NIGHTS,
        _N_SUBJECTS,
        _NOTE,
    ),
)

AGREEMENT_TABLES = (
    AGREEMENT_NIGHTS, AGREEMENT_POOLED, AGREEMENT_CONFUSION, AGREEMENT_STATISTICS, AGREEMENT_MINUTES
)  # fmt: skip


STUDY_NIGHTS = Table(
    "nights",
    "one night of a study, recorded or missed",
    (
        _SUBJECT,
        Column("night", "str", "Name of its night folder; no other night of the study has it."),
        Column("date", "str", "Evening on which it began, YYYY-MM-DD."),
        Column("file", "str", "The recording, relative to the study file; empty for a night that was missed."),
        Column(
            "condition",
            "str",
            "Masked code of what was taken; empty for a night that was not drawn. Parallel groups are set against the "
            "nights of the sleeper before the first condition that are no adaptation nights.",
        ),
        Column("block", "int", "Pair or phase, counted from 1; 0 for none."),
        Column("period", "int", "Period of a crossover, counted from 1; 0 for none."),
        Column("adaptation", "bool", "Whether it is a night to get used to the recording, which never enters."),
        Column("device", "str", "Recorder, with its montage and firmware where they change."),
        Column("lights_off", "str", "Clock time, HH:MM; empty if not known."),
        Column("lights_on", "str", "Clock time, HH:MM; empty if not known."),
        Column("dose", "str", "Dose as taken, with its unit, the same words in both conditions."),
        Column("hours_since_dose", "float", "Since the dose before this one, at lights off.", "h"),
        Column("guess", "str", "What the sleeper guessed: compound, control, a code, or ?; empty if not asked."),
        Column("excluded", "bool", "Whether the night is left out."),
        Column("exclusion_reason", "str", "Why, by which rule; empty if it is not."),
        Column("decided_masked", "bool", "Whether that was decided while the codes were masked."),
    ),
)

SCHEDULE = Table(
    "schedule",
    "one planned night",
    (
        _SUBJECT,
        Column("night", "str", "Name of the night."),
        Column("date", "str", "Evening on which it begins, YYYY-MM-DD."),
        Column("weekday", "str", "Weekday of that evening."),
        Column("condition", "str", "Masked code of what is taken; empty for an adaptation night."),
        Column("block", "int", "Pair or phase, counted from 1; 0 for none."),
        Column("period", "int", "Period of a crossover, counted from 1; 0 for none."),
        Column("adaptation", "bool", "Whether it is a night to get used to the recording."),
    ),
)

POWER = Table(
    "power",
    "one size of study and one effect",
    (
        Column("endpoint", "str", "Endpoint, as marker|stage|channel; empty where the effect is in SD only."),
        Column("n_nights", "int", "Nights with a condition, of each sleeper."),
        Column("n_subjects", "int", "Sleepers."),
        Column("effect_sd", "float", "Effect in standard deviations between nights of one person."),
        Column("effect", "float", "Effect in the unit beside it; missing where the spread is not known."),
        Column("unit", "str", "Unit of the effect."),
        Column("power", "float", "Share of simulated studies whose re-randomisation p is at most alpha."),
        Column("smallest_p", "float", "Smallest p-value that so many nights can give."),
        Column("source", "str", "Where the spread between nights comes from."),
    ),
)

CHECKS = Table(
    "checks",
    "one check of the study",
    (
        Column("code", "str", "C1 to C12."),
        Column("name", "str", "What is checked."),
        Column("status", "str", "pass, warn or fail."),
        Column("value", "float", "The number it rests on; missing where there is none."),
        Column("limit", "float", "What the number is held against; missing where it is only reported."),
        Column("message", "str", "What was found, in a sentence."),
    ),
)


_MARKER = Column("marker", "str", "Name of the marker; the catalogue gives its meaning.")
_FAMILY = Column("family", "str", "Family of the marker: A to E, or context.")
_MARKER_STAGE = Column("stage", "str", "Stage it was measured in; empty for the whole night.")
_MARKER_CHANNEL = Column("channel", "str", "Derivation it was measured on; empty if it belongs to none.")
_UNIT = Column("unit", "str", "Unit of the values.")

COMPARISON = Table(
    "comparison",
    "one marker of one stage and channel, compound against control",
    (
        _MARKER,
        Column("label", "str", "Name of the marker in a report."),
        _FAMILY,
        _MARKER_STAGE,
        _MARKER_CHANNEL,
        _UNIT,
        Column("direction", "str", "+ if more is usually better, - if worse, 0 if neither."),
        Column("role", "str", "primary, family (tested in a family of the declared order) or described."),
        Column("n_subjects", "int", "Sleepers that have a value in what is compared."),
        Column("n_control", "int", "Control nights that have a value and enter."),
        Column("n_compound", "int", "Compound nights that have a value and enter."),
        Column("control_mean", "float", "Mean of the control nights (mean direction for a phase)."),
        Column("compound_mean", "float", "Mean of the compound nights, likewise."),
        Column("control_sd", "float", "Standard deviation between control nights of one sleeper."),
        Column("difference", "float", "Compound minus control, adjusted as the method says; in the unit beside it."),
        Column("low", "float", "Lower end of its 95 % interval; missing with a reason."),
        Column("high", "float", "Upper end of that interval."),
        Column("low_90", "float", "Lower end of its 90 % interval, which decides equivalence."),
        Column("high_90", "float", "Upper end of that interval."),
        Column("ratio", "float", "Compound over control by the logarithms, where a ratio is natural."),
        Column("ratio_low", "float", "Lower end of its 95 % interval."),
        Column("ratio_high", "float", "Upper end of that interval."),
        Column("g_av", "float", "Hedges' g: difference of means in mean standard deviations, small-sample corrected."),
        Column("nap", "float", "Share of pairs of nights in which the compound night is larger, ties as half."),
        Column("p", "float", "Two-sided p-value by the method; missing where no mechanism allocated the nights."),
        Column("method", "str", "re-randomisation, mixed model (Kenward-Roger), subject means, or descriptive."),
        Column("p_randomization", "float", "Two-sided p-value by redrawing the declared schedule."),
        Column("smallest_p", "float", "Smallest p-value the redrawn schedules could give for this marker."),
        Column("p_adjusted", "float", "p-value adjusted for the other tests; missing where nothing is tested."),
        Column("adjustment", "str", "How it was adjusted."),
        Column("n_tests", "int", "How many tests it was adjusted for."),
        Column("gate", "str", "open, closed (a family before found nothing), or empty for what is not tested."),
        Column("t_low", "float", "Lower end of the 95 % interval by Student's t, as a comparator."),
        Column("t_high", "float", "Upper end of that interval."),
        Column("smallest_effect", "float", "Smallest effect of interest, as declared or by default."),
        Column("smallest_effect_unit", "str", "Its unit; SD is that of control nights, % is of the control mean."),
        Column("bound", "float", "The same in the unit of the marker."),
        Column("verdict", "str", "better, worse, changed (no value judgement), equivalent, inconclusive or masked."),
        Column("sentence", "str", "The verdict in words."),
        Column("measure", "str", "What it measures: markers that measure one thing share this name."),
        Column("represents", "bool", "Whether it stands for its measure in the verdict on the family."),
        _NOTE,
    ),
)

FAMILY_VERDICTS = Table(
    "family_verdicts",
    "one family of markers",
    (
        _FAMILY,
        Column("title", "str", "What the family stands for."),
        Column("order", "int", "Its place in the declared order, from 1; 0 if it is not in it."),
        Column("gate", "str", "open or closed."),
        Column("verdict", "str", "better, worse, changed, equivalent, inconclusive or masked."),
        Column("n_markers", "int", "Markers compared."),
        Column("n_measures", "int", "What they measure, several ways of measuring one thing counted once."),
        Column("n_better", "int", "Measures that are better."),
        Column("n_worse", "int", "Measures that are worse."),
        Column("n_changed", "int", "Measures that changed, without a value judgement."),
        Column("n_equivalent", "int", "Measures that are equivalent."),
        Column("n_inconclusive", "int", "Measures that are inconclusive."),
        Column("n_missing", "int", "Markers that had too few values to be compared."),
        Column("smallest_p_adjusted", "float", "Smallest adjusted p-value in the family."),
        Column("sentence", "str", "The verdict in words."),
        Column("expectation", "str", "What is reported of the compound's class: an expectation, never a score."),
        Column("expectation_source", "str", "Where that is reported."),
    ),
)

NUISANCE = Table(
    "nuisance",
    "one thing that could explain a difference away",
    (
        Column("kind", "str", "trend, carry-over, clean minutes, stage mix, time in bed, staging, recall, device, "
               "gain, one night or blinding."),
        _MARKER,
        _MARKER_STAGE,
        _MARKER_CHANNEL,
        Column("value", "float", "The number, in the unit beside it."),
        _UNIT,
        Column("adjusted_difference", "float", "Compound minus control with it taken into account; missing if none."),
        Column("conspicuous", "bool", "Whether a reader should stop here."),
        Column("sentence", "str", "What it says, in words."),
    ),
)  # fmt: skip

COMPARISON_NIGHTS = Table(
    "comparison_nights",
    "one marker in one night that was given a condition",
    (
        _SUBJECT,
        _NIGHT,
        Column("date", "str", "Evening of the night, as YYYY-MM-DD."),
        Column("condition", "str", "Code of its condition."),
        _MARKER,
        _FAMILY,
        _MARKER_STAGE,
        _MARKER_CHANNEL,
        _UNIT,
        Column("value", "float", "The marker; missing is not zero."),
        Column("clean_min", "float", "Usable minutes that the value rests on.", "min"),
    ),
)

COMPARISON_MODELS = Table(
    "comparison_models",
    "one way to estimate one marker over several sleepers",
    (
        _MARKER,
        _MARKER_STAGE,
        _MARKER_CHANNEL,
        Column("method", "str", "Kenward-Roger, Satterthwaite or subject means."),
        Column("decides", "bool", "Whether it is the one that decides."),
        Column("estimate", "float", "Compound minus control."),
        Column("se", "float", "Its standard error."),
        Column("df", "float", "Degrees of freedom."),
        Column("t", "float", "Estimate over standard error."),
        Column("p", "float", "Two-sided p-value; missing where no mechanism allocated the nights."),
        Column("low", "float", "Lower end of the 95 % interval."),
        Column("high", "float", "Upper end of that interval."),
        Column("sd_subject", "float", "Standard deviation between sleepers."),
        Column("sd_effect", "float", "Standard deviation of the effect between sleepers; missing if not in the model."),
        Column("sd_night", "float", "Standard deviation between nights of a sleeper."),
        _NOTE,
    ),
)

RELATIONS = Table(
    "relations",
    "one next-day score and one marker of a night before it, within persons: an association, not an effect",
    (
        Column("score", "str", "Column of the nights that holds the score."),
        Column("score_label", "str", "Name of the score in a report."),
        _MARKER,
        Column("label", "str", "Name of the marker in a report."),
        _FAMILY,
        _MARKER_STAGE,
        _MARKER_CHANNEL,
        _UNIT,
        Column("role", "str", "primary (the marker is a primary endpoint) or exploratory."),
        Column("lag_nights", "int", "0: the night that ended on the day of the score; 1: the night before that."),
        Column("method", "str", "least squares within persons, or mixed model (Kenward-Roger)."),
        _N_NIGHTS,
        _N_SUBJECTS,
        Column("marker_sd", "float", "Standard deviation of the marker between nights of one sleeper and condition."),
        Column("estimate", "float", "Change of the score for one such standard deviation more of the marker."),
        Column("low", "float", "Lower end of its 95 % interval; missing with a reason."),
        Column("high", "float", "Upper end of that interval."),
        Column("partial_r", "float", "Correlation within persons, practice, weekends and condition taken out."),
        Column("autocorrelation", "float", "Product of the autocorrelations of both, by which the nights count less."),
        Column("df", "float", "Degrees of freedom of the interval."),
        Column("p", "float", "Two-sided p-value of the association; missing where no mechanism allocated the nights."),
        Column("p_adjusted", "float", "The same adjusted over the whole table (Benjamini-Hochberg)."),
        Column("n_tests", "int", "How many tests that were."),
        Column("practice", "float", "Change of the score for each doubling of the days since its first test."),
        Column("estimate_across", "float", "The estimate without the condition, so with the compound's share in it."),
        Column("low_across", "float", "Lower end of its 95 % interval."),
        Column("high_across", "float", "Upper end of that interval."),
        Column("sentence", "str", "What it says, in words."),
        _NOTE,
    ),
)

COMPARISON_TABLES = (COMPARISON, FAMILY_VERDICTS, NUISANCE, RELATIONS, COMPARISON_NIGHTS, COMPARISON_MODELS)

JOBS = Table(
    "jobs",
    "one night that a batch was asked for, as the last run that was asked for it left it",
    (
        _NIGHT,
        Column("subject", "str", "Sleeper; empty where it is not known."),
        Column("file", "str", "The recording, from the folder of this table."),
        Column("status", "str", "done (worked out in that run), fresh (nothing changed since it was) or failed."),
        Column("seconds", "float", "Wall-clock time of working it out; missing where it never began or never ended.",
               "s"),
        Column("memory_mb", "float", "Memory of the process right after it; missing likewise.", "MB"),
        Column("error", "str", "Kind of the error; empty if there was none."),
        Column("reason", "str", "What went wrong, in a sentence; empty if nothing did."),
    ),
)  # fmt: skip


def check_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` with exactly the columns of `table`, in order and in their types.

    Raises
    ------
    TableError
        If a column is missing, unknown, or holds values its type cannot.
    """
    missing = [name for name in table.column_names if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.column_names]
    if missing or unknown:
        raise TableError(
            f"table {table.name} does not have its declared columns",
            found=f"missing {missing or 'none'}, unknown {unknown or 'none'}",
            allowed=", ".join(table.column_names),
        )
    columns = {}
    for column in table.columns:
        try:
            columns[column.name] = frame[column.name].astype(_DTYPES[column.kind])
        except (TypeError, ValueError) as error:
            raise TableError(
                f"column {column.name} of table {table.name} cannot be read as {column.kind}",
                found=str(error),
            ) from error
    return type(frame)(columns).reset_index(drop=True)


def empty_table(table: Table) -> pd.DataFrame:
    """Return `table` without a row: what a detector gives when it looked and found nothing."""
    import pandas as pd

    return check_table(pd.DataFrame({name: [] for name in table.column_names}), table)


def encode_table(frame: pd.DataFrame, table: Table) -> bytes:
    """Return `frame` as CSV bytes; missing numbers are empty cells, and no cell can be a formula."""
    frame = check_table(frame, table).copy()
    for column in table.columns:
        if column.kind == "str":
            risky = frame[column.name].str.startswith(_FORMULA_STARTS)
            frame.loc[risky, column.name] = "'" + frame.loc[risky, column.name]
    # Ten digits keep a millisecond over three days and hide the noise of the last binary digits.
    return frame.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()


def encode_sidecar(table: Table) -> bytes:
    """Return the JSON that describes the columns of `table`, in the form BIDS uses."""
    entries = {}
    for column in table.columns:
        entries[column.name] = {"Description": column.meaning}
        if column.unit:
            entries[column.name]["Units"] = column.unit
    return encode_json(entries)


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Read back a CSV written from `table`, and check it.

    Raises
    ------
    TableError
        If the file is not such a table.
    """
    import pandas as pd

    text_columns = [column.name for column in table.columns if column.kind == "str"]
    try:
        frame = pd.read_csv(
            io.BytesIO(path.read_bytes()),
            dtype=dict.fromkeys(text_columns, "str"),
            keep_default_na=False,
            na_values={c.name: [""] for c in table.columns if c.kind != "str"},
        )
    except (OSError, ValueError) as error:
        raise TableError(f"{path.name} cannot be read as table {table.name}", found=str(error)) from error
    for name in text_columns:
        if name in frame:
            frame[name] = frame[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return check_table(frame, table)
