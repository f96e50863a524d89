"""Overnight EEG: from a recording to markers of sleep that can be compared between nights.

The flow of one night, step by step::

    import eegsleep as es

    recording = es.read_recording("night.edf")
    night = es.analyze_night(recording)
    es.save_night(night, "nights", {"report.html": es.render_night(night, recording)})

The same in one call, with all options of `eegsleep score`::

    night, folder = es.score_file(es.Job("night.edf", lights_off="23:15"))

Many nights, on all cores, and a study of them::

    jobs, folder, _ = es.find_jobs(["recordings"])
    es.run_batch(jobs, folder)
    es.lock_study("study.toml")
    compared = es.compare_study("study.toml")  # compared.sentences, compared.report

eegsleep is not a medical device.
"""


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (SPEC 1); __init__.pyi lists them and their modules.

    The loader itself comes with the first of them: the command needs none, and can be interrupted sooner.
    """
    _attach_names()
    return globals()["__getattr__"](name)


def __dir__() -> list[str]:
    """Return the public names."""
    _attach_names()
    return globals()["__dir__"]()


def _attach_names() -> None:
    import lazy_loader

    names = globals()
    names["__getattr__"], names["__dir__"], names["__all__"] = lazy_loader.attach_stub(__name__, __file__)
