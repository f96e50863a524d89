"""The signals of a recording in volts, and the mne Raw that they become once somebody asks for it.

The import of mne takes longer than to read a night, so the Raw is made when `Recording.raw` is first used. From then
on it holds the signals: what is changed in it in place is what is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    from collections.abc import Mapping

    import mne
    import numpy as np

_KEPT = "_signals"  # where a recording keeps them


class Signals(NamedTuple):
    """The chosen channels of a recording.

    Attributes
    ----------
    volts : numpy.ndarray, shape (n_channels, n_samples)
        NaN where nothing was recorded.
    rate_hz : float
    roles : mapping of str to str
        By label, in the order of the rows.
    annotations : tuple of (float, float, str)
        Onset in s from the first sample, duration in s, and text; gaps are `BAD_GAP`.
    """

    volts: np.ndarray
    rate_hz: float
    roles: Mapping[str, str]
    annotations: tuple[tuple[float, float, str], ...]

    @property
    def n_samples(self) -> int:
        """Samples of every channel."""
        return self.volts.shape[1]

    def channel(self, label: str) -> np.ndarray:
        """Return one channel in volts, shape (n_samples,); not a copy."""
        return self.volts[list(self.roles).index(label)]

    def as_raw(self) -> mne.io.BaseRaw:
        """Return them as mne has them; the samples are not copied."""
        import mne

        info = mne.create_info(list(self.roles), self.rate_hz, list(self.roles.values()))
        raw = mne.io.RawArray(self.volts, info, verbose="ERROR")
        columns = zip(*self.annotations, strict=True) if self.annotations else ((), (), ())
        raw.set_annotations(mne.Annotations(*map(list, columns)), emit_warning=False, verbose="ERROR")
        return raw


class _SignalsOfRaw:
    """What `Signals` offers, of an mne Raw."""

    def __init__(self, raw: mne.io.BaseRaw) -> None:
        self._raw = raw
        self.rate_hz: float = raw.info["sfreq"]
        self.n_samples = int(raw.n_times)

    @property
    def annotations(self) -> tuple[tuple[float, float, str], ...]:
        return tuple((a["onset"], a["duration"], a["description"]) for a in self._raw.annotations)

    def channel(self, label: str) -> np.ndarray:
        return self._raw.get_data(picks=[label])[0]


class RawOrSignals:
    """The field `raw` of a recording: given a Raw or `Signals`, it is a Raw."""

    name = "raw"

    @overload
    def __get__(self, recording: None, owner: type) -> RawOrSignals: ...
    @overload
    def __get__(self, recording: object, owner: type) -> mne.io.BaseRaw: ...
    def __get__(self, recording: object | None, owner: type) -> RawOrSignals | mne.io.BaseRaw:
        """Return the Raw, made of the signals if need be."""
        if recording is None:  # how a dataclass asks for a default: there is none
            raise AttributeError
        kept = vars(recording)[_KEPT]
        if isinstance(kept, Signals):
            kept = vars(recording)[_KEPT] = kept.as_raw()
        return kept

    def __set__(self, recording: object, given: mne.io.BaseRaw | Signals) -> None:
        """Keep what was given."""
        vars(recording)[_KEPT] = given


def signals_of(recording: object) -> Signals | _SignalsOfRaw:
    """Return the signals of a recording, without making a Raw of them.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    Signals or an object with the same `rate_hz`, `n_samples`, `annotations` and `channel`
    """
    kept = vars(recording)[_KEPT]
    return kept if isinstance(kept, Signals) else _SignalsOfRaw(kept)
