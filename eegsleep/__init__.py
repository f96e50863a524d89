"""Overnight EEG: from a recording to markers of sleep that can be compared between nights.

The flow, each step a function on the one before::

    import eegsleep as es

    recording = es.read_recording("night.edf")
    night = es.analyze_night(recording)
    es.save_night(night, "nights", {"report.html": es.render_night(night, recording)})

The same in one call, with everything `eegsleep score` can be asked for::

    night, folder = es.score_file(es.Job("night.edf", lights_off="23:15"))

Many nights, on all cores, and a study of them::

    jobs, folder, _ = es.find_jobs(["recordings"])
    es.run_batch(jobs, folder)
    es.lock_study("study.toml")
    study, comparison, changes, report = es.compare_study("study.toml")

eegsleep is not a medical device.
"""

import lazy_loader

# Nothing is imported until it is asked for (SPEC 1); __init__.pyi says what there is and where it lives.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
