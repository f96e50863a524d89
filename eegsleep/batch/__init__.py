"""Many nights: which there are, which are still fresh, and the rest worked out on Dask.

`sources` finds the nights, `freshness` tells those that need no work, `job` is the work on one, `task` is what a worker
does around it, `cluster` is where workers come from, `on_dask` gives them nights, `run` puts it together and
`jobs_file` keeps the account; `gather` makes the summary.
"""
