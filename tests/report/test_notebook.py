"""A night in a notebook: short texts, small pictures with escaped text, figures, and the same data as tables."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

import eegsleep as es
from eegsleep.batch.gather import gather_nights
from eegsleep.errors import EegSleepError, SettingsError, TableError
from eegsleep.events.slow_oscillations import main_slow_oscillations
from eegsleep.quality import Verdict


def test_a_night_shows_itself_briefly(sample_night):
    assert len(repr(sample_night)) < 500
    html = sample_night._repr_html_()
    assert len(html) < 5000
    assert "<svg" in html
    assert f"{sample_night.markers.set_index('marker').loc['tst_min', 'value']:.1f}" in html


def test_text_of_a_night_is_escaped(sample_night):
    hostile = replace(sample_night, id="<script>", verdict=Verdict("caution", ("<img src=x onerror=y>",)))
    assert "<script>" not in hostile._repr_html_()
    assert "<img" not in hostile._repr_html_()
    assert "<script>" not in hostile.plot_hypnogram().to_json()


def test_the_hypnogram_figure_holds_every_epoch(sample_night):
    figure = sample_night.plot_hypnogram()
    assert isinstance(figure, go.Figure)
    drawn = sum(len(trace.x) for trace in figure.data[1:])
    assert drawn == (sample_night.stages["stage"] != "UNS").sum()


def test_the_spectrogram_figure_holds_the_table(sample_night):
    table = sample_night.spectrogram_table()
    assert len(table) == len(sample_night.stages)
    (trace,) = sample_night.plot_spectrogram().data
    np.testing.assert_array_equal(np.array(trace.z), table.to_numpy().T)


def test_event_figures_hold_every_event_of_a_channel(sample_night):
    for channel in ("C4-M1", "F3-M2"):
        (trace,) = sample_night.plot_spindles(channel).data
        assert len(trace.x) == (sample_night.spindles["channel"] == channel).sum() > 0
        (trace,) = sample_night.plot_slow_oscillations(channel).data
        waves = main_slow_oscillations(sample_night.slow_oscillations)
        assert len(trace.x) == (waves["channel"] == channel).sum() > 0


@pytest.mark.parametrize("channel", ["Cz", "E1-M2"])
def test_a_channel_that_is_no_eeg_of_the_night_is_refused(sample_night, channel):
    with pytest.raises(SettingsError, match="C4-M1"):
        sample_night.plot_spindles(channel)


def test_a_loaded_night_says_that_it_has_no_spectrogram(sample_night, tmp_path):
    loaded = es.load_night(es.save_night(sample_night, tmp_path))
    assert loaded.plot_hypnogram().data
    with pytest.raises(TableError, match="analyze_night"):
        loaded.plot_spectrogram()
    assert issubclass(TableError, EegSleepError)


def test_markers_wide_is_the_row_of_nights_csv(sample_night, tmp_path):
    es.save_night(sample_night, tmp_path)
    gathered, wide = gather_nights(tmp_path), sample_night.markers_wide()
    assert len(wide) == 1
    shared = [column for column in gathered.columns if "|" in column]
    assert shared == list(wide.columns[1:])
    np.testing.assert_allclose(
        wide[shared].to_numpy(dtype=float), gathered[shared].to_numpy(dtype=float), rtol=1e-8, equal_nan=True
    )


def test_stages_go_to_yasa_and_mne(sample_night):
    assert es.as_stages(sample_night.to_yasa_hypnogram())["stage"].equals(sample_night.stages["stage"])
    assert len(sample_night.to_annotations()) == len(sample_night.stages)
