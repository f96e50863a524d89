"""The tables of a study: its nights and plan, its checks, and the comparison."""

from __future__ import annotations

from eegsleep.tables.columns import (
    FAMILY,
    MARKER,
    MARKER_CHANNEL,
    MARKER_STAGE,
    N_NIGHTS,
    N_SUBJECTS,
    NIGHT,
    NOTE,
    SUBJECT,
)
from eegsleep.tables.declared import Column, Table

STUDY_NIGHTS = Table(
    "nights",
    "one night of a study, recorded or missed",
    (
        SUBJECT,
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
        SUBJECT,
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
        Column("code", "str", "C1 to C14."),
        Column("name", "str", "What is checked."),
        Column(
            "status",
            "str",
            "What the check says.",
            levels={
                "pass": "nothing is wrong",
                "warn": "read the message before the result",
                "fail": "the result cannot be relied on until this is resolved",
            },
        ),
        Column("value", "float", "The number it rests on; missing where there is none."),
        Column("limit", "float", "What the number is held against; missing where it is only reported."),
        Column("message", "str", "What was found, in a sentence."),
    ),
)


_UNIT = Column("unit", "str", "Unit of the values.")

_VERDICT = Column(
    "verdict",
    "str",
    "What the nights say of the difference.",
    levels={
        "better": "there is a difference, in the direction that is usually better",
        "worse": "there is a difference, in the direction that is usually worse",
        "changed": "there is a difference, and neither direction is better",
        "equivalent": "any difference is smaller than the smallest effect of interest",
        "inconclusive": "the nights cannot tell",
        "masked": "there is a difference, and the codes are masked",
        "follows from slow-wave amplitude": "there is a difference, and without that of slow-wave amplitude it is gone",
        "follows from gain": "there is a difference, and that of the electrodes' gain may be all of it",
    },
)
_ORIGINS = {
    "": "from neither, as far as can be told",
    "slow-wave amplitude": "at equal slow waves it turns round, is less than half, or its interval holds 0",
    "gain": "at equal gain it turns round, is less than half, its interval holds 0, or nothing is known there",
    "not known": "too few nights could be set to equal slow waves",
}
_GATES = {"open": "tested", "closed": "not tested, because a family before it found nothing"}

COMPARISON = Table(
    "comparison",
    "one marker of one stage and channel, compound against control",
    (
        MARKER,
        Column("label", "str", "Name of the marker in a report."),
        FAMILY,
        MARKER_STAGE,
        MARKER_CHANNEL,
        _UNIT,
        Column(
            "direction",
            "str",
            "What more of it usually means.",
            levels={"+": "more is usually better", "-": "more is usually worse", "0": "neither"},
        ),
        Column(
            "role",
            "str",
            "How it is tested.",
            levels={
                "primary": "a primary endpoint",
                "family": "tested in a family of the declared order",
                "described": "not tested",
            },
        ),
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
        Column("sides", "int", "2, or 1 for a primary endpoint registered as one-sided: only the better side counts."),
        Column(
            "scale",
            "str",
            "What p is of.",
            levels={"logarithm": "the logarithms of powers and densities above 0", "": "the values"},
        ),
        Column("p_ranks", "float", "The same of the ranks of the nights, which one odd night moves little; secondary."),
        Column(
            "method",
            "str",
            "re-randomisation, re-randomisation of ranks, mixed model (Kenward-Roger), subject means, or descriptive.",
        ),
        Column("p_randomization", "float", "Two-sided p-value by redrawing the declared schedule."),
        Column("smallest_p", "float", "Smallest p-value the redrawn schedules could give for this marker."),
        Column("p_adjusted", "float", "p-value adjusted for the other tests; missing where nothing is tested."),
        Column("adjustment", "str", "How it was adjusted."),
        Column("n_tests", "int", "How many tests it was adjusted for."),
        Column("gate", "str", "Whether its turn to be tested came.", levels={**_GATES, "": "never tested"}),
        Column("t_low", "float", "Lower end of the 95 % interval by Student's t, as a comparator."),
        Column("t_high", "float", "Upper end of that interval."),
        Column("smallest_effect", "float", "Smallest effect of interest, as declared or by default."),
        Column(
            "smallest_effect_unit",
            "str",
            "Its unit; SD is between nights at equal condition and time, % of the mean.",
        ),
        Column("bound", "float", "The same in the unit of the marker."),
        Column("probability_higher", "float", "That compound is above control, by a prior of 0 ± 1 SD; secondary."),
        Column("probability_matters_higher", "float", "That it is so by more than the smallest effect; secondary."),
        Column("probability_matters_lower", "float", "That it is below by more than the smallest effect; secondary."),
        Column("p_signal", "float", "p-value adjusted over all measures together, whatever the declared order."),
        Column("n_signal", "int", "How many measures those are; 0 for a marker that is not among them."),
        Column("signal", "bool", "Whether it differs by that although the declared path does not say so: exploratory."),
        Column("gain_apart", "float", "Difference of the gain check, as a share, where the marker follows it; else 0."),
        Column("adjusted_for", "str", "What the difference was adjusted for if the nights were not drawn; or empty."),
        Column("nights_to_settle", "int", "Nights in pairs that would find such a difference in 80 %; 0 if not asked."),
        _VERDICT,
        Column("sentence", "str", "The verdict in words."),
        Column(
            "at_equal_delta", "float", "Difference with all nights at the sleeper's usual slow-wave activity of N2."
        ),
        Column("at_equal_delta_low", "float", "Lower end of its 95 % interval."),
        Column("at_equal_delta_high", "float", "Upper end of that interval."),
        Column("n_at_equal_delta", "int", "Nights in it; 0 for a marker that does not depend on slow-wave amplitude."),
        Column("at_equal_gain", "float", "Difference at the sleeper's usual gain, where gain differs clearly."),
        Column("at_equal_gain_low", "float", "Lower end of its 95 % interval."),
        Column("at_equal_gain_high", "float", "Upper end of that interval."),
        Column("n_at_equal_gain", "int", "Nights in it; 0 for a marker that does not follow gain."),
        Column(
            "by_other_stager", "float", "Difference of the sleep statistic by the other stager; missing without one."
        ),
        Column("by_other_stager_low", "float", "Lower end of its 95 % interval."),
        Column("by_other_stager_high", "float", "Upper end of that interval."),
        Column("follows_from", "str", "What a difference follows from whose p is small.", levels=_ORIGINS),
        Column("measure", "str", "What it measures: markers that measure one thing share this name."),
        Column("represents", "bool", "Whether it stands for its measure in the verdict on the family."),
        NOTE,
    ),
)

FAMILY_VERDICTS = Table(
    "family_verdicts",
    "one family of markers",
    (
        FAMILY,
        Column("title", "str", "What the family stands for."),
        Column("order", "int", "Its place in the declared order, from 1; 0 if it is not in it."),
        Column("gate", "str", "Whether its turn to be tested came.", levels=_GATES),
        _VERDICT,
        Column("n_markers", "int", "Markers compared."),
        Column("n_measures", "int", "What they measure, several ways of measuring one thing counted once."),
        Column("n_better", "int", "Measures that are better."),
        Column("n_worse", "int", "Measures that are worse."),
        Column("n_changed", "int", "Measures that changed, without a value judgement."),
        Column("n_equivalent", "int", "Measures that are equivalent."),
        Column("n_inconclusive", "int", "Measures that are inconclusive."),
        Column("n_follows", "int", "Measures whose difference follows from slow-wave amplitude or from gain."),
        Column("n_signals", "int", "Measures off the declared path that differ beyond chance: exploratory."),
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
        Column(
            "kind",
            "str",
            "What it is.",
            levels={
                "trend": "a drift over the nights",
                "carry-over": "an effect that lasts into the following nights",
                "clean minutes": "different minutes that could be used",
                "stage mix": "another mix of N2 and N3",
                "time in bed": "longer or shorter nights",
                "staging": "another certainty of the stages",
                "recall": "another share of events that the detector finds",
                "device": "another recorder",
                "gain": "another size of all signals of a derivation",
                "covariate": "something else that was recorded of the night",
                "one night": "a single night that decides",
                "blinding": "a sleeper who knew the condition",
            },
        ),
        MARKER,
        MARKER_STAGE,
        MARKER_CHANNEL,
        Column("value", "float", "The number, in the unit beside it."),
        _UNIT,
        Column("adjusted_difference", "float", "Compound minus control with it taken into account; missing if none."),
        Column("conspicuous", "bool", "Whether a reader should stop here."),
        Column("sentence", "str", "What it says, in words."),
    ),
)

COMPARISON_NIGHTS = Table(
    "comparison_nights",
    "one marker in one night that was given a condition",
    (
        SUBJECT,
        NIGHT,
        Column("date", "str", "Evening of the night, as YYYY-MM-DD."),
        Column("condition", "str", "Code of its condition."),
        MARKER,
        FAMILY,
        MARKER_STAGE,
        MARKER_CHANNEL,
        _UNIT,
        Column("value", "float", "The marker; missing is not zero."),
        Column("clean_min", "float", "Usable minutes that the value rests on.", "min"),
    ),
)

COMPARISON_MODELS = Table(
    "comparison_models",
    "one way to estimate one marker over several sleepers",
    (
        MARKER,
        MARKER_STAGE,
        MARKER_CHANNEL,
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
        NOTE,
    ),
)

COMPARISON_SLEEPERS = Table(
    "comparison_sleepers",
    "one marker of one sleeper in a study of several: it is about that person alone",
    (
        SUBJECT,
        MARKER,
        Column("label", "str", "Name of the marker in a report."),
        FAMILY,
        MARKER_STAGE,
        MARKER_CHANNEL,
        _UNIT,
        Column("role", "str", "primary or family, as in the comparison."),
        Column("n_control", "int", "Control nights with a value."),
        Column("n_compound", "int", "Compound nights with a value."),
        Column("control_mean", "float", "Mean of the control nights."),
        Column("compound_mean", "float", "Mean of the compound nights."),
        Column("difference", "float", "Compound minus control, time taken out."),
        Column("low", "float", "Lower end of its 95 % interval; missing with a reason."),
        Column("high", "float", "Upper end of that interval."),
        Column("p", "float", "By redrawing this sleeper's own schedule; missing where nights were not drawn."),
        Column("probability_higher", "float", "That compound is above control, by a prior of 0 ± 1 SD; secondary."),
        Column("probability_matters_higher", "float", "That it is so by more than the smallest effect; secondary."),
        Column("probability_matters_lower", "float", "That it is below by more than the smallest effect; secondary."),
        NOTE,
    ),
)

PATTERN = Table(
    "pattern",
    "the study: which pattern the differences make together, a description",
    (
        Column(
            "pattern",
            "str",
            "What the differences look like together.",
            levels={
                "selective": "sleep is longer or sooner, and nothing inside it or of the next day was lost",
                "not claimed": "the same, but without a next-day outcome",
                "sedation-like": "more sleep with fewer slow waves or less REM sleep",
                "restorative-like": "more slow waves, and nothing lost",
                "stimulant-like": "less sleep",
                "none": "none of these",
                "masked": "the codes are masked",
            },
        ),
        Column("sentence", "str", "What it says, in words."),
        Column("found", "str", "The aspects that differ at a false discovery rate of .05, joined by semicolons."),
        Column("n_aspects", "int", "How many aspects were tested."),
        Column("n_next_day", "int", "Next-day outcomes that were compared."),
    ),
)

RELATIONS = Table(
    "relations",
    "one next-day score and one marker of a night before it, within persons: an association, not an effect",
    (
        Column("score", "str", "Column of the nights that holds the score."),
        Column("score_label", "str", "Name of the score in a report."),
        MARKER,
        Column("label", "str", "Name of the marker in a report."),
        FAMILY,
        MARKER_STAGE,
        MARKER_CHANNEL,
        _UNIT,
        Column(
            "role",
            "str",
            "Why it is in the table.",
            levels={"primary": "the marker is a primary endpoint", "exploratory": "any other marker"},
        ),
        Column("lag_nights", "int", "0: the night that ended on the day of the score; 1: the night before that."),
        Column("method", "str", "least squares within persons, or mixed model (Kenward-Roger)."),
        N_NIGHTS,
        N_SUBJECTS,
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
        NOTE,
    ),
)
