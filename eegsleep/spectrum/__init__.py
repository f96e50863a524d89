"""Spectra: band power, slow-wave activity, the aperiodic part, and eye movements in REM."""

from eegsleep.spectrum.measure import Spectrogram, SpectrumSettings, measure_spectrum

__all__ = ["Spectrogram", "SpectrumSettings", "measure_spectrum"]
