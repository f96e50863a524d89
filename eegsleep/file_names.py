"""Names of files and folders that more than one step of the work reads or writes."""

from __future__ import annotations

NIGHTS_FOLDER = "eegsleep-nights"  # where night folders are made, unless another folder is given
STUDY_FILE = "study.toml"
SETTINGS_FILE = "eegsleep.toml"  # in the folder where a command is started: its settings
NIGHTS_FILE = "nights.csv"  # beside study.toml: the nights of a study; in a folder of nights: their markers
SCHEDULE_FILE = "schedule.csv"  # beside study.toml: the schedule that `eegsleep plan` drew
PROVENANCE_FILE = "provenance.json"  # written last, so that a night folder with one is complete
REFERENCE_FILE = "reference.csv"  # an expert's stages, kept beside ours
OTHER_STAGER_FILE = "other_stager.csv"  # the stages of a second stager, set beside ours
REPORT_FILE = "report.html"
JOBS_FILE = "jobs.csv"  # in a folder of nights: what became of each night of the last batch
INDEX_FILE = "index.html"  # in a folder of nights: the page over all of them
CALIBRATION_FILE = "calibration.json"
TRACE_FILE = "trace.js"  # the signal of a night, beside its report in a folder of many nights
USUAL_FILE = "usual.js"  # beside the night folders: each sleeper's own ranges, for the reports
BEFORE_FILE = "hypnogram-before.csv"  # the stages before they were edited by hand
EVENTS_FILE = "events-edited.csv"  # events rejected by hand, and arousals
