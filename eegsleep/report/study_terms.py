"""What the terms on the page of a study mean, each where it stands."""

from __future__ import annotations

OF_TESTS = frozenset({"p", "adjusted", "ranks"})  # left out where nothing is tested
# key, the term, its meaning in a sentence or two.
TERMS = (
    (
        "interval",
        "95 % interval",
        "The differences that these nights are compatible with. In 95 of 100 such studies it holds the true "
        "difference.",
    ),
    (
        "smallest",
        "Smallest difference that matters",
        "Named before the result, or taken from the catalogue of markers. A smaller difference does not matter to a "
        "sleeper, however certain it is.",
    ),
    (
        "sd",
        "Standard deviation",
        "How far ordinary nights of one person lie apart. A difference of 1 is as large as the usual change from one "
        "night to another.",
    ),
    (
        "p",
        "p",
        "How often a schedule drawn anew, or sleepers whom the compound does nothing to, would look as different "
        "by chance alone.",
    ),
    ("adjusted", "p adjusted", "The same, counting how many things were tested beside this one. It decides."),
    (
        "ranks",
        "Ranks",
        "The same test of the order of the nights, which one odd night moves little. It decides nothing.",
    ),
    (
        "equivalent",
        "Equivalent?",
        "Whether the 90 % interval lies inside the smallest difference that matters, so that the difference is surely "
        "smaller. “Not shown” is no evidence that it is larger.",
    ),
    ("g", "g", "Hedges’ g: the difference in standard deviations between nights, corrected for few nights. Secondary."),
    (
        "nap",
        "NAP",
        "Share of pairs of nights, one of each condition, in which the night with the compound is higher; 0.5 by "
        "chance. Secondary.",
    ),
    (
        "prior",
        "Prior of 0 ± 1 SD",
        "Before the nights, differences around 0 as large as the change from night to night were held likely; the "
        "probabilities follow from that and from the nights. Secondary.",
    ),
)
