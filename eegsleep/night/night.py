"""The results of one night: its tables, what they rest on, and how they show themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eegsleep.errors import TableError
from eegsleep.hypnograms.objects import to_annotations, to_yasa_hypnogram
from eegsleep.markers.wide import widen_markers
from eegsleep.signals.epochs import EPOCH_MIN, SLEEP_STAGES
from eegsleep.tables import NIGHT_TABLES

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    import mne
    import pandas as pd

    from eegsleep.events.detect import Events
    from eegsleep.events.edited import EventEdits
    from eegsleep.hypnograms.objects import YasaHypnogram
    from eegsleep.quality import Verdict
    from eegsleep.report.notebook import Figure
    from eegsleep.spectrum import Spectrogram
    from eegsleep.staging.lights import Lights


@dataclass(frozen=True)
class Night:
    """The results of one night; each table is declared in `eegsleep.tables`.

    Attributes
    ----------
    id : str
        Name of the night folder.
    start : datetime or None
        Local time of the first sample, None if not known.
    duration_s : float
    device : str
        Name of the device preset.
    roles : dict of str to str
        Channel label to `eeg`, `eog` or `emg`.
    lights : Lights
    stages, quality, spectrum, markers : pandas.DataFrame
        Tables `HYPNOGRAM`, `QUALITY`, `SPECTRUM` and `MARKERS`.
    events : Events
    verdict : Verdict
    warnings, methods : tuple of str
        Sentences for the reader.
    provenance : dict
        What the results depend on, as stored in provenance.json.
    stages_at_delta : pandas.DataFrame
        Table `STAGES_AT_DELTA`; without a row where the stages were given.
    other_stager : pandas.DataFrame or None
        Table `OTHER_STAGER`, where a second stager was asked or its probabilities were given.
    reference : pandas.DataFrame or None
        An expert's stages on the same epochs (table `HYPNOGRAM`), where they were given.
    before : pandas.DataFrame or None
        The stages before they were edited by hand, where they were.
    event_edits : EventEdits or None
        Events that were rejected by hand, and arousals.
    spectrogram : Spectrogram or None
    averages : pandas.DataFrame or None
        As `average_events` returns them. Spectrogram, averages and part of `events` are made for the report and are
        not kept on disk.
    """

    id: str
    start: datetime | None
    duration_s: float
    device: str
    roles: dict[str, str]
    lights: Lights
    stages: pd.DataFrame
    quality: pd.DataFrame
    events: Events
    spectrum: pd.DataFrame
    markers: pd.DataFrame
    verdict: Verdict
    warnings: tuple[str, ...]
    methods: tuple[str, ...]
    provenance: dict[str, Any]
    stages_at_delta: pd.DataFrame
    other_stager: pd.DataFrame | None = None
    reference: pd.DataFrame | None = None
    before: pd.DataFrame | None = None
    event_edits: EventEdits | None = None
    spectrogram: Spectrogram | None = None
    averages: pd.DataFrame | None = None

    @property
    def spindles(self) -> pd.DataFrame:
        """Table `SPINDLES`."""
        return self.events.spindles

    @property
    def slow_oscillations(self) -> pd.DataFrame:
        """Table `SLOW_OSCILLATIONS`."""
        return self.events.slow_oscillations

    @property
    def coupling(self) -> pd.DataFrame:
        """Table `COUPLING`."""
        return self.events.coupling

    @property
    def coupling_summary(self) -> pd.DataFrame:
        """Table `COUPLING_SUMMARY`."""
        return self.events.coupling_summary

    @property
    def audit(self) -> pd.DataFrame:
        """Table `AUDIT`."""
        return self.events.audit

    def __repr__(self) -> str:
        """Return three lines: length and start, the verdict on the signals, and where the results are."""
        start = f" from {self.start:%H:%M}" if self.start else ""
        asleep = float(self.stages["stage"].isin(SLEEP_STAGES).sum()) * EPOCH_MIN
        return (
            f"<Night {self.id[:80]}: {self.duration_s / 3600:.2f} h{start}, {asleep:g} min asleep\n signals: "
            f"{self.verdict.verdict}; {len(self.warnings)} warnings\n tables: .stages .markers .spindles "
            ".slow_oscillations .coupling .spectrum .quality>"
        )

    def _repr_html_(self) -> str:
        """Return a small hypnogram and the key numbers, for notebooks."""
        return notebook().show_night(self)

    def plot_hypnogram(self) -> Figure:
        """Draw the stages; see `eegsleep.plot_hypnogram`."""
        return notebook().plot_hypnogram(self)

    def plot_spectrogram(self) -> Figure:
        """Draw the spectrogram; see `eegsleep.plot_spectrogram`."""
        return notebook().plot_spectrogram(self)

    def plot_spindles(self, channel: str | None = None) -> Figure:
        """Draw the spindles of a channel; see `eegsleep.plot_spindles`."""
        return notebook().plot_spindles(self, channel)

    def plot_slow_oscillations(self, channel: str | None = None) -> Figure:
        """Draw the slow oscillations of a channel; see `eegsleep.plot_slow_oscillations`."""
        return notebook().plot_slow_oscillations(self, channel)

    def spectrogram_table(self) -> pd.DataFrame:
        """Return the spectrogram as table: a row an epoch (`onset_s`), a column a frequency in Hz, values in dB.

        Raises
        ------
        TableError
            If the night has none: a night folder does not keep it.
        """
        import pandas as pd

        if self.spectrogram is None:
            raise TableError(
                "the night has no spectrogram",
                found="a night that was loaded from its folder, or one without a usable EEG",
                remedy="analyze the recording again with analyze_night",
            )
        return pd.DataFrame(
            self.spectrogram.power_db.T,
            index=pd.Index(self.spectrogram.onset_s, name="onset_s"),
            columns=pd.Index(self.spectrogram.frequency_hz, name="frequency_hz"),
        )

    def markers_wide(self) -> pd.DataFrame:
        """Return the markers as one row, with the columns of nights.csv: `marker|stage|channel`."""
        return widen_markers(self.markers, self.id)

    def to_yasa_hypnogram(self) -> YasaHypnogram:
        """Return the stages as `yasa.Hypnogram`, with the start of the recording."""
        return to_yasa_hypnogram(self.stages, start=self.start)

    def to_annotations(self) -> mne.Annotations:
        """Return the stages as `mne.Annotations`, in seconds from the first sample."""
        return to_annotations(self.stages)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by file name without extension."""
        own = {
            "hypnogram": self.stages,
            "stages_at_delta": self.stages_at_delta,
            "quality": self.quality,
            "spectrum": self.spectrum,
            "markers": self.markers,
        }
        return {t.name: own[t.name] if t.name in own else getattr(self.events, t.name) for t in NIGHT_TABLES}


def notebook() -> ModuleType:
    """Return the module that draws: only the report does, and it is imported when a night is asked to draw itself."""
    from eegsleep.report import notebook

    return notebook
