"""The tables of one night, and those of a simulated night."""

from __future__ import annotations

from eegsleep.tables.columns import FAMILY, MARKER, MARKER_CHANNEL, MARKER_STAGE, SPINDLE_CLASS_LEVELS, STAGE_LEVELS
from eegsleep.tables.declared import Column, Table


def _onset(what: str) -> Column:
    return Column("onset_s", "float", f"Start of the {what}, from the first sample of the recording.", "s")


_EPOCH = Column("epoch", "int", "Number of the 30 s epoch, counted from 0.")
_CHANNEL = Column("channel", "str", "Label of the derivation, as the recording calls it.")
_STAGE = Column("stage", "str", "Sleep stage by AASM name.", levels=STAGE_LEVELS)
_DURATION = Column("duration_s", "float", "From first to last sample of the event.", "s")
_FREQUENCY = Column("frequency_hz", "float", "Median instantaneous frequency.", "Hz")
_SPINDLE_CLASS = Column("spindle_class", "str", "Class by the spindle's own frequency.", levels=SPINDLE_CLASS_LEVELS)
_WAVE_KINDS = {"slow_oscillation": "slow oscillation", "k_complex": "K-complex: large, sharp and isolated in N2"}
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
        Column(
            "agreement",
            "float",
            "Share of the usable derivations that give this stage by themselves; missing "
            "where fewer than two are usable.",
        ),
    ),
)

STAGES_AT_DELTA = Table(
    "stages_at_delta",
    "one 30 s epoch, staged at three sizes of the night's slow waves",
    (
        _EPOCH,
        _onset("epoch"),
        Column("less_delta", "str", "Stage with the amplitude of 0.4-4 Hz times 0.8.", levels=STAGE_LEVELS),
        Column("stage", "str", "Stage as in the hypnogram.", levels=STAGE_LEVELS),
        Column("more_delta", "str", "Stage with the amplitude of 0.4-4 Hz times 1.25.", levels=STAGE_LEVELS),
    ),
)

OTHER_STAGER = Table(
    "other_stager",
    "one 30 s epoch by another stager, set beside the hypnogram",
    (
        _EPOCH,
        _onset("epoch"),
        Column("stage", "str", "Stage by the other stager.", levels=STAGE_LEVELS),
        Column("consensus", "str", "Stage by the mean of its probabilities and ours.", levels=STAGE_LEVELS),
        Column("p_wake", "float", "Its probability of wake."),
        Column("p_n1", "float", "Of N1."),
        Column("p_n2", "float", "Of N2."),
        Column("p_n3", "float", "Of N3."),
        Column("p_rem", "float", "Of REM."),
    ),
)

HYPNOGRAM_EDITED = Table(
    "hypnogram-edited",
    "one 30 s epoch, as the page of a night saves stages that were edited by hand",
    (
        _EPOCH,
        _onset("epoch"),
        _STAGE,
        Column("was", "str", "Stage before any edit by hand."),
        Column("scorer", "str", "Who gave the epoch its stage by hand; empty where nobody did."),
        Column("date", "str", "When, in UTC; empty where nobody did."),
        Column("input_sha256", "str", "Hash of the recording that the stages belong to."),
    ),
)

EVENTS_EDITED = Table(
    "events-edited",
    "one event that was rejected by hand, or an arousal that was marked",
    (
        Column("kind", "str", "fast spindle, slow spindle, slow oscillation, K-complex, or arousal."),
        Column("channel", "str", "Label of the derivation; empty for an arousal."),
        _onset("event"),
        _DURATION,
        Column("peak_s", "float", "Peak of a spindle, negative peak of a slow oscillation.", "s"),
        Column("verdict", "str", "rejected, or added for an arousal."),
        Column("scorer", "str", "Who judged it."),
        Column("date", "str", "When, in UTC."),
        Column("input_sha256", "str", "Hash of the recording that the events belong to."),
    ),
)

QUALITY = Table(
    "quality",
    "one 30 s epoch of one channel",
    (
        _EPOCH,
        _onset("epoch"),
        _CHANNEL,
        Column(
            "role", "str", "What the channel records.", levels={"eeg": "brain", "eog": "eyes", "emg": "chin muscle"}
        ),
        Column("rms_uv", "float", "Root mean square about the epoch's mean.", "µV"),
        Column("ptp_uv", "float", "Largest minus smallest sample.", "µV"),
        Column("flat_fraction", "float", "Share of one-second pieces with no signal in them."),
        Column("clipped_fraction", "float", "Share of samples held at the recorder's end of range."),
        Column("nonfinite_fraction", "float", "Share of samples that are missing."),
        Column("high_frequency_uv", "float", "Root mean square of 25–45 Hz: muscle, movement, bad contact.", "µV"),
        Column("movement_fraction", "float", "Share of seconds that burst out of the five minutes around."),
        Column("drift_uv", "float", "Range of the means of its seconds.", "µV"),
        Column(
            "mains_uv",
            "float",
            "Amplitude of the stronger of 50 and 60 Hz at the recorded rate; missing where "
            "the rate does not reach them.",
            "µV",
        ),
        Column(
            "relative_gain",
            "float",
            "Size at 20–30 Hz over ten minutes against the other EEG derivations, 1 being "
            "its usual; missing for one alone and for other channels.",
        ),
        Column("usable", "bool", "Whether the epoch of this channel is believed."),
        Column("reason", "str", "Why it is not, or empty."),
        Column(
            "usable_at_level",
            "bool",
            "Whether the epoch can be staged: as `usable`, with the limits on size in multiples of the channel's own "
            "level instead of microvolts, so that stages do not follow gain.",
        ),
    ),
)

_SPINDLE_MEASURES = (
    _CHANNEL,
    _STAGE,
    _onset("spindle"),
    _DURATION,
    Column("peak_s", "float", "Where the envelope at its own frequency is largest.", "s"),
    Column("centroid_s", "float", "Centre of the energy at its own frequency; phases are read there.", "s"),
    _FREQUENCY,
    Column("amplitude_uv", "float", "Peak to peak of the signal filtered within 2 Hz of its frequency.", "µV"),
    Column("amplitude_broadband_uv", "float", "Peak to peak of the broadband signal, trend removed.", "µV"),
    Column("n_oscillations", "int", "Positive peaks within the spindle."),
    Column("symmetry", "float", "Place of the largest peak, 0 at the onset to 1 at the end."),
)
_SPINDLE_JUDGEMENTS = (
    Column("chirp_hz_per_s", "float", "Change of its frequency; negative where it slows.", "Hz/s"),
    Column("envelope_uv", "float", "Size: root mean square of 11–16 Hz over 1 s, as peak to peak.", "µV"),
    Column("sigma_ratio", "float", "That over its median in the night's NREM."),
    Column("sigma_share", "float", "Power of 11–16 Hz over that of 6–30 Hz during that second, 0 to 1."),
)

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
        Column("baseline_uv", "float", "Median of that size in the night's NREM.", "µV"),
        Column(
            "background_level",
            "float",
            "Power of 6–30 Hz without sigma over that of sigma, both medians over the night's NREM.",
        ),
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
    Column(
        "reference_uv",
        "float",
        "Median height of all waves of the band in usable N2 of this channel and night, "
        "which the relative view divides by; missing where there is too little N2.",
        "µV",
    ),
    Column("ptp_relative", "float", "Height over that reference; a change of gain cancels."),
    Column("isolation_s", "float", "Time to the nearest wave at least half as high; missing if none is near.", "s"),
)

SLOW_OSCILLATION_CANDIDATES = Table(
    "slow_oscillation_candidates", "one wave on one channel that may be a slow oscillation", _WAVE_MEASURES
)

SLOW_OSCILLATIONS = Table(
    "slow_oscillations",
    "one slow oscillation on one channel, found by at least one of two definitions",
    (
        *_WAVE_MEASURES,
        Column("kind", "str", "Kind of wave.", levels=_WAVE_KINDS),
        Column(
            "found_absolute",
            "bool",
            "Whether it exceeds fixed microvolts, published or the person's own: the "
            "main definition, which follows electrode fit as well as sleep.",
        ),
        Column(
            "found_relative",
            "bool",
            "Whether it exceeds a multiple of the reference: immune to electrode fit, "
            "nearly blind to a change of all amplitudes.",
        ),
    ),
)

COUPLING = Table(
    "coupling",
    "one spindle and the slow oscillation nearest to it on the same channel",
    (
        _CHANNEL,
        _STAGE,
        _SPINDLE_CLASS,
        Column("spindle_peak_s", "float", "Where the spindle's sigma envelope is largest.", "s"),
        Column("centroid_s", "float", "Centre of the spindle's energy, where the phase is read.", "s"),
        Column("neg_peak_s", "float", "Negative peak of the nearest slow oscillation; missing if none.", "s"),
        Column("delay_s", "float", "Spindle's centre minus negative peak.", "s"),
        Column(
            "phase_rad",
            "float",
            "Phase of the slow oscillation at the spindle's centre; 0 is the positive peak "
            "(up state), ±π the negative peak; missing for an uncoupled spindle.",
            "rad",
        ),
        Column("coupled", "bool", "Whether the spindle's centre lies in the window around the negative peak."),
        Column(
            "chance_share",
            "float",
            "Part of the spindle's run of epochs that the windows of waves cover: its probability to be coupled by "
            "chance; missing outside usable NREM and where no wave is known.",
        ),
        Column("chance_cosine", "float", "Mean cosine of the phase by chance, 0 outside the windows."),
        Column("chance_sine", "float", "Mean sine of the phase by chance, 0 outside the windows."),
        Column(
            "phase_reliability",
            "float",
            "What the scatter of the centres of planted spindles of this size leaves of equal phases, 1 being all; "
            "missing where none could be planted.",
        ),
    ),
)

COUPLING_SUMMARY = Table(
    "coupling_summary",
    "the coupling of one class of spindles in one stage on one channel",
    (
        _CHANNEL,
        Column("stage", "str", "Stage of the spindles.", levels={"N2": "N2", "N3": "N3", "NREM": "N2 and N3"}),
        Column(
            "spindle_class",
            "str",
            "Class of the spindles.",
            levels={**SPINDLE_CLASS_LEVELS, "all": "slow and fast together"},
        ),
        Column("n", "int", "Spindles whose chance is known and at most 0.8."),
        Column("n_coupled", "int", "Those whose centre lies in the window around a negative peak."),
        Column("percent", "float", "Coupled share of the spindles.", "%"),
        Column("expected_percent", "float", "The share that chance alone couples.", "%"),
        Column(
            "excess_percent",
            "float",
            "Share of the spindles that chance does not explain: (p − e) / (1 − e) of coupled share and chance.",
            "%",
        ),
        Column("excess_se_percent", "float", "Its standard error.", "%"),
        Column(
            "strength",
            "float",
            "Length of the mean vector over all spindles, less chance and the bias of small numbers: share times "
            "concentration, 0 to 1; below 0 where its square is.",
        ),
        Column("strength_squared", "float", "The square of that length, whose mean over nights is unbiased."),
        Column("strength_se", "float", "Standard error of the length."),
        Column("phase_rad", "float", "Direction of that vector; 0 is the up state.", "rad"),
        Column("phase_se_rad", "float", "Its standard error.", "rad"),
        Column(
            "modulation_index",
            "float",
            "How unevenly the sigma envelope spreads over the phases of the slow "
            "oscillations, less what random shifts give; one value for all spindles, missing for a class.",
        ),
        _REASON,
    ),
)

SPECTRUM = Table(
    "spectrum",
    "one spectral measure of one channel in one stage",
    (
        _CHANNEL,
        Column(
            "stage",
            "str",
            "Stage, or several stages together.",
            levels={
                **{stage: name for stage, name in STAGE_LEVELS.items() if stage != "UNS"},
                "NREM": "N2 and N3",
                "TIB": "every scored epoch, whatever its stage",
            },
        ),
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
        MARKER,
        FAMILY,
        MARKER_STAGE,
        MARKER_CHANNEL,
        Column("value", "float", "The marker, in the unit beside it; missing is not zero."),
        Column("unit", "str", "Unit of the value."),
        Column("n", "int", "Events or epochs the value rests on."),
        _CLEAN,
        _REASON,
        Column(
            "expected",
            "float",
            "Minutes by the probabilities of the stages, where the value is minutes counted; in the same unit.",
        ),
        Column(
            "low",
            "float",
            "Lower end of the 95 % interval that unsure stages leave, in the same unit; missing "
            "where that was not worked out.",
        ),
        Column("high", "float", "Upper end of that interval."),
        Column(
            "at_least",
            "float",
            "For a latency to what did not come in this night: the time that was watched, which the latency exceeds; "
            "otherwise missing.",
        ),
        Column(
            "at_less_delta",
            "float",
            "The marker with slow waves of 0.8 times their amplitude: from the stages of stages_at_delta.csv, and in "
            "NREM with slow oscillations counted again; missing for markers that depend on neither.",
        ),
        Column("at_more_delta", "float", "Likewise with 1.25 times their amplitude."),
        Column("by_other_stager", "float", "The sleep statistic by the other stager; missing without one."),
        Column("by_consensus", "float", "The sleep statistic by the mean of its probabilities and ours."),
    ),
)

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
        Column(
            "phase_rad", "float", "Phase of that slow oscillation at the spindle's peak; missing if uncoupled.", "rad"
        ),
    ),
)

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
        Column("kind", "str", "Kind of wave.", levels=_WAVE_KINDS),
    ),
)

SIMULATED_ARTEFACTS = Table(
    "artefacts",
    "one planted artefact",
    (_CHANNEL, Column("kind", "str", "What was planted."), _onset("artefact"), _DURATION),
)

AUDIT = Table(
    "audit",
    "planted events of one kind, view, stage and amplitude on one channel",
    (
        _CHANNEL,
        Column("kind", "str", "Kind of event.", levels={"spindle": "spindle", "slow_oscillation": "slow oscillation"}),
        Column(
            "view",
            "str",
            "Which events are counted.",
            levels={"absolute": "by microvolts", "relative": "by multiples of the night's own signal"},
        ),
        _STAGE,
        Column("planted_uv", "float", "Peak to peak of the events planted.", "µV"),
        Column("planted_ratio", "float", "That over the night's own sigma or waves; missing in the absolute view."),
        Column("n_planted", "int", "How many were planted."),
        Column("n_found", "int", "How many of these the detector found."),
        Column("recall", "float", "Share that was found."),
        Column("recall_low", "float", "Lower end of its 95 % interval (Wilson)."),
        Column("recall_high", "float", "Upper end of that interval."),
        Column("amplitude_bias_percent", "float", "Median of amplitude found over amplitude planted, less 100."),
        Column("frequency_bias_hz", "float", "Median of frequency found less frequency planted.", "Hz"),
        Column(
            "time_scatter_s",
            "float",
            "Standard deviation of the time found, centroid or negative peak, about the time planted; missing with "
            "fewer than ten found.",
            "s",
        ),
        Column("chance_percent", "float", "How often a random moment of the stage has a native event near."),
    ),
)

EVENT_TABLES = (
    SPINDLES,
    SLOW_OSCILLATIONS,
    SPINDLE_CANDIDATES,
    SLOW_OSCILLATION_CANDIDATES,
    COUPLING,
    COUPLING_SUMMARY,
    AUDIT,
)
NIGHT_TABLES = (HYPNOGRAM, STAGES_AT_DELTA, QUALITY, *EVENT_TABLES, SPECTRUM, MARKERS)
