"""Bands of a whole night at 20 samples a second, by one Fourier transform of the night that all of them share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eegsleep.signals.epochs import ANALYSIS_RATE_HZ

# Holds every band that is narrower than this with its flanks.
LOW_RATE_HZ = 20.0
STEP = int(ANALYSIS_RATE_HZ / LOW_RATE_HZ)
# Width of the flank between two bands; their powers add up to one at every frequency.
FLANK_HZ = 1.0


class Band(NamedTuple):
    """The analytic signal of a band.

    Attributes
    ----------
    first_hz : float
        How far the band was moved down, so that it fits into the low rate; its modulus does not change.
    wave : numpy.ndarray of complex64, shape (n_times,)
    """

    first_hz: float
    wave: np.ndarray
    rate_hz: float = LOW_RATE_HZ
    step: int = STEP


class NightTransform:
    """The Fourier transform of a night, from which bands are cut.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_samples,)
        At the analysis rate, without missing samples.
    """

    def __init__(self, signal_uv: np.ndarray) -> None:
        from scipy.fft import next_fast_len, rfft

        self.n_times = -(-signal_uv.size // STEP)
        self.n_fast = next_fast_len(self.n_times)
        self._spectrum = rfft(signal_uv.astype(np.float32), self.n_fast * STEP) * np.float32(2 / STEP)

    def analytic(self, band_hz: tuple[float, float], *, straight: bool = False) -> Band:
        """Return the analytic signal of a band, which with its flanks is narrower than `LOW_RATE_HZ`.

        Parameters
        ----------
        band_hz : (float, float)
            Half of the power is left at its edges. The flanks are sines, so that the powers of two bands that meet add
            up to that of both.
        straight : bool
            Whether the flanks are straight lines, so that half of the amplitude is left at the edges.

        Returns
        -------
        Band
        """
        from scipy.fft import ifft

        bins_per_hz = self.n_fast / LOW_RATE_HZ
        first = int((band_hz[0] - FLANK_HZ) * bins_per_hz)
        stop = int((band_hz[1] + FLANK_HZ) * bins_per_hz) + 1
        band = np.zeros(self.n_fast, dtype=np.complex64)
        inside = band[: stop - first]
        inside[:] = self._spectrum[first:stop]
        n_flank, half = int(2 * FLANK_HZ * bins_per_hz), inside.size // 2
        # only the flanks are weighted; those of a narrow band meet in its middle
        for bins in (np.arange(min(n_flank, half)), np.arange(max(inside.size - n_flank, half), inside.size)):
            frequency_hz = (first + bins) / bins_per_hz
            rise = np.clip((frequency_hz - band_hz[0]) / FLANK_HZ + 0.5, 0, 1)
            fall = np.clip((band_hz[1] - frequency_hz) / FLANK_HZ + 0.5, 0, 1)
            flank = rise * fall if straight else np.sin(np.pi / 2 * rise) * np.sin(np.pi / 2 * fall)
            inside[bins] *= flank.astype(np.float32)
        return Band(first / bins_per_hz, ifft(band, overwrite_x=True)[: self.n_times])
