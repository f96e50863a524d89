"""A study: many nights with and without a compound, planned, kept blind, locked and compared.

    study.toml ─► plan ─► schedule.csv, sealed key, nights.csv
    study.toml + nights.csv + night folders ─► checks ─► lock ─► unmask ─► comparison

`protocol`, `nights_file` and `manifest` read what was declared; `mechanisms` (with `sequences`) draws schedules
and redraws them for the test, `schedule` lays them out and recognises them; `power` and `plan` say what a design
can show; `checks` what could make its answer wrong; `lock` and `sealed_key` keep the codes masked.
The statistics take arrays and know nothing of studies: `resampling` (with `phase_means` and `multiplicity`) redraws,
`effects` measures sizes, `groups` and `mixed_model` take many sleepers, `circular` angles.
"""
