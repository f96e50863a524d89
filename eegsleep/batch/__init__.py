"""Many nights: find them, leave those alone that are up to date, and score the others on Dask.

`sources` finds the nights. `freshness` finds those that need no work. `run` runs a batch: `on_dask` hands nights to
the workers that `cluster` starts, and `task` runs in a worker, around `workflows.score`. `jobs_file` keeps jobs.csv,
and `gather` writes the summary.
"""
