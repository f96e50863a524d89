"""The tapers of multitaper spectra."""

from __future__ import annotations

from functools import cache

import numpy as np

# Tapers that hold less of their energy in the band leak from one band into another (MNE's `low_bias`).
LEAST_CONCENTRATION = 0.9


@cache
def make_tapers(n_samples: int, half_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return discrete prolate spheroidal sequences, and the share of its energy that each holds in the band.

    Parameters
    ----------
    n_samples : int
    half_width : float
        Half width of the band in multiples of one over the length of the window.

    Returns
    -------
    tapers : numpy.ndarray, shape (n_tapers, n_samples)
        Of energy 1, periodic; those that hold `LEAST_CONCENTRATION` or more.
    concentration : numpy.ndarray, shape (n_tapers,)

    Notes
    -----
    As `mne.time_frequency.dpss_windows` with `sym=False`, without the import of mne and `scipy.signal`: eigenvectors of
    the tridiagonal matrix that commutes with the problem (Slepian 1978, doi:10.1002/j.1538-7305.1978.tb02104.x).
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import eigh_tridiagonal

    size, n_tapers = n_samples + 1, int(2 * half_width)  # one sample more, which a periodic window leaves out
    place, width = np.arange(size), half_width / size
    diagonal = ((size - 1 - 2 * place) / 2) ** 2 * np.cos(2 * np.pi * width)
    beside = place[1:] * (size - place[1:]) / 2
    _, vectors = eigh_tridiagonal(diagonal, beside, select="i", select_range=(size - n_tapers, size - 1))
    tapers = vectors[:, ::-1].T
    padded = next_fast_len(2 * size)
    correlation = irfft(np.abs(rfft(tapers, padded, axis=1)) ** 2, padded, axis=1)[:, :size]
    kernel = 4 * width * np.sinc(2 * width * place)
    kernel[0] = 2 * width
    concentration = correlation @ kernel
    kept = concentration > LEAST_CONCENTRATION
    return tapers[kept, :-1], concentration[kept]
