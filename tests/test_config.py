"""Settings: every one has a range, what is outside is refused by name, and what is printed can be read back."""

import contextlib
import dataclasses
from typing import get_args, get_type_hints

import pytest

from eegsleep.config import Settings, find_range, list_settings, load_settings
from eegsleep.errors import SettingsError

NUMBERS = [
    (step, name, kind)
    for step, settings in get_type_hints(Settings).items()
    for name, kind in get_type_hints(settings).items()
    if kind in {int, float} or (get_args(kind) and get_args(kind)[0] in {int, float})
]
NONSENSE = ["nan", "inf", "-inf", "-1.0", "1e12", "-1e-9"]


@pytest.mark.parametrize(("step", "name", "kind"), NUMBERS, ids=[f"{step}.{name}" for step, name, _ in NUMBERS])
def test_every_number_has_a_range_and_nonsense_is_refused_with_it(step, name, kind, tmp_path):
    assert find_range(f"{step}.{name}") is not None
    path = tmp_path / "settings.toml"
    values = [text for text in NONSENSE if kind is not int] or ["-1", "1000000000000"]
    if get_args(kind):
        values = [f"[{value}, {value}]" for value in values] + ["[]", "[5.0, nan]"]
    if get_args(kind) and Ellipsis not in get_args(kind):
        values += ["[1.0, 1.0]", "[0.9, 0.5]", "[1.0]", "[1.0, 2.0, 3.0]"]
    for value in values:
        path.write_text(f"[{step}]\n{name} = {value}\n")
        with pytest.raises(SettingsError, match=name) as caught:
            load_settings(path)
        assert caught.value.allowed


def test_what_is_printed_is_read_back(tmp_path, run_here):
    path = tmp_path / "settings.toml"
    path.write_text("\n".join(list_settings()))
    assert load_settings(path) == Settings()
    path.write_text("[quality]\nflat_uv = 0.25\n")
    done = run_here("settings", "--config", path)
    assert done.returncode == 0
    assert "flat_uv = 0.25  # 0 to 100000" in done.stdout


def test_ranges_hold_for_settings_made_in_python():
    settings = Settings()
    with pytest.raises(SettingsError, match=r"quality\.flat_uv is out of range\. Found: -1\.0\. Allowed: 0 to 100000"):
        dataclasses.replace(settings, quality=dataclasses.replace(settings.quality, flat_uv=-1.0))


def limits(step, name, kind):
    """Return the least and the largest values of a setting that its range allows."""
    low, high, _ = find_range(f"{step}.{name}")
    default = getattr(getattr(Settings(), step), name)
    if not get_args(kind):
        return [kind(low), kind(high)]
    if Ellipsis in get_args(kind):
        return [(low,), (high,)]
    return [(low, default[1]), (default[0], high), (low, high)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return twenty minutes of a simulated night, enough for every step to have something to do."""
    import eegsleep as es

    simulated = es.simulate_night(es.SimulationSettings(duration_h=1 / 3, rate_hz=100, eeg=("C4-M1",)), 1)
    folder = tmp_path_factory.mktemp("night")
    return es.read_recording(es.write_simulated_night(simulated, folder, "n"))


@pytest.mark.nightly
@pytest.mark.parametrize(("step", "name", "kind"), NUMBERS, ids=[f"{step}.{name}" for step, name, _ in NUMBERS])
def test_the_limits_of_a_range_are_scored_or_refused_in_words(step, name, kind, recording):
    """At both ends of every range a night is worked out, or an error of ours says why it is not."""
    import eegsleep as es
    from eegsleep.errors import EegSleepError

    stages = ["W"] * 4 + ["N2"] * (recording.n_epochs - 14) + ["R"] * 10  # staging takes half of the time
    for value in limits(step, name, kind):
        with contextlib.suppress(EegSleepError):
            settings = Settings(**{step: dataclasses.replace(getattr(Settings(), step), **{name: value})})
            es.analyze_night(recording, settings, hypnogram=None if step == "staging" else stages)
