"""A study: many nights with and without a compound, planned, masked, locked and compared.

    study.toml ─► plan ─► schedule.csv, sealed key, nights.csv, protocol.json with its hash
    study.toml + nights.csv + night folders ─► checks ─► lock ─► unmask ─► comparison

`declared` reads study.toml and nights.csv, and knows what a compound can be for. `schedules` draws schedules, redraws
them for the test, and finds where one breaks the rules of its mechanism. `planning` works out what a design can show.
`night_folders` reads the scored nights; `night_values` and `arrangement` bring their markers into tables and arrays.
`checks` lists what could make the answer wrong, with `recording_checks` and `regularity`. `masking` registers a study,
keeps its codes masked until it is locked, and traces what changed. `comparison` tests the markers and gives verdicts;
`nuisances` measures what else could explain a difference. The statistics themselves are in `eegsleep.statistics`.
"""
