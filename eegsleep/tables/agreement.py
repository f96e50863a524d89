"""The tables of an agreement between two scorings."""

from __future__ import annotations

from eegsleep.tables.columns import N_NIGHTS, N_SUBJECTS, NIGHT, NOTE, STAGE_LEVELS, SUBJECT
from eegsleep.tables.declared import Column, Table

_LOW = "Lower end of its 95 % interval; missing with a reason where there are too few nights."
_HIGH = "Upper end of that interval."
_SCORED = {stage: name for stage, name in STAGE_LEVELS.items() if stage != "UNS"}

AGREEMENT_NIGHTS = Table(
    "agreement_nights",
    "one night scored twice",
    (
        NIGHT,
        SUBJECT,
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
        NOTE,
    ),
)

AGREEMENT_POOLED = Table(
    "agreement_pooled",
    "one measure of agreement over all nights, pooled in one way",
    (
        Column("measure", "str", "accuracy, kappa, macro_f1, or f1_ and the stage."),
        Column(
            "pooling",
            "str",
            "How the nights were pooled.",
            levels={
                "mean of nights": "mean of the values of single nights",
                "median of nights": "median of the values of single nights",
                "all epochs": "from the epochs of all nights, counted together",
            },
        ),
        Column("value", "float", "The measure."),
        Column("low", "float", _LOW),
        Column("high", "float", _HIGH),
        N_NIGHTS,
        N_SUBJECTS,
        Column("n_resamples", "int", "Bootstrap samples of sleepers (of nights, if there is one sleeper); 0 if none."),
        Column("seed", "int", "Seed of the bootstrap."),
        NOTE,
    ),
)

AGREEMENT_CONFUSION = Table(
    "agreement_confusion",
    "one stage of the reference met by one stage of the observed scoring, all nights together",
    (
        Column("reference", "str", "Stage in the reference.", levels=_SCORED),
        Column("observed", "str", "Stage in the observed scoring.", levels=_SCORED),
        Column("n_epochs", "int", "Epochs so scored."),
        Column("share", "float", "Of the epochs with that stage in the reference; missing if there are none."),
    ),
)

AGREEMENT_STATISTICS = Table(
    "agreement_statistics",
    "one sleep statistic of one night, from both scorings over the epochs both scored",
    (
        NIGHT,
        SUBJECT,
        Column("statistic", "str", "Name of the sleep statistic."),
        Column("unit", "str", "Unit of the values."),
        Column("reference", "float", "From the reference."),
        Column("observed", "float", "From the observed scoring."),
        Column("difference", "float", "Observed minus reference."),
        NOTE,
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
        N_NIGHTS,
        N_SUBJECTS,
        NOTE,
    ),
)

AGREEMENT_TABLES = (AGREEMENT_NIGHTS, AGREEMENT_POOLED, AGREEMENT_CONFUSION, AGREEMENT_STATISTICS, AGREEMENT_MINUTES)
