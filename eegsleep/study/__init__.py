"""A study: many nights with and without a compound, planned, masked, locked and compared.

    study.toml ─► plan ─► schedule.csv, sealed key, nights.csv
    study.toml + nights.csv + night folders ─► checks ─► lock ─► unmask ─► comparison

`declared` reads study.toml and nights.csv. `schedules` draws schedules, redraws them for the test, and finds where one
breaks the rules of its mechanism. `planning` works out what a design can show. `night_folders` reads the scored nights;
`night_values` and `arrangement` bring their markers into tables and arrays. `checks` lists what could make the answer
wrong. `masking` keeps the codes masked until the study is locked. `comparison` tests the markers and gives verdicts;
`nuisances` measures what else could explain a difference. The statistics themselves are in `eegsleep.statistics`.
"""
