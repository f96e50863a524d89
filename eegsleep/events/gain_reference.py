"""A level of the signal that follows the electrode and not the sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_SAMPLES, NREM, cut_epochs

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.recording.recording import Recording

# Beyond eye movements and slow waves, spindles and beta; below mains and the edge of the analysis rate.
GAIN_HZ = (30.0, 40.0)


def gain_reference_uv(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> dict[str, float]:
    """Measure, by channel, an amplitude that follows the electrode's gain and little else.

    The root mean square of 30-40 Hz in each clean epoch of N2 and N3, and of those the lower quartile.

    Returns
    -------
    dict of str to float
        In µV; NaN without clean NREM. Only its ratio between nights of one person and montage has a meaning.

    Notes
    -----
    No signal is beyond a compound's reach. Slow waves, spindles and beta up to 30 Hz are what hypnotics are
    known to change. Above lie weak cortical activity, muscle and the amplifier's own noise: the quiet
    quarter of NREM holds the least muscle, but a compound that relaxes it may lower this too, noise that
    electrode contact does not scale makes it move less than gain does, and a recorder that filters at 35 Hz
    leaves little to measure. A change here with unchanged sleep speaks for gain; no change does not prove
    equal gain. Look at impedances as well where the recorder has them.
    """
    from scipy.fft import rfft, rfftfreq

    frequency = rfftfreq(EPOCH_SAMPLES, 1 / ANALYSIS_RATE_HZ)
    band = (frequency >= GAIN_HZ[0]) & (frequency <= GAIN_HZ[1])
    nrem = stages["stage"].isin(NREM).to_numpy()
    result = {}
    for label in recording.derivations:
        chosen = cut_epochs(recording.signal(label), len(nrem))[nrem & usable_epochs(quality, label)]
        chosen = chosen[np.isfinite(chosen).all(axis=1)]
        if not len(chosen):
            result[label] = float("nan")
            continue
        power = np.abs(rfft(chosen * np.hanning(EPOCH_SAMPLES), axis=1)[:, band]) ** 2
        # one-sided, and over the mean square of the window, 3/8
        rms = np.sqrt(power.sum(axis=1) * 2 / EPOCH_SAMPLES**2 / 0.375)
        result[label] = float(np.quantile(rms, 0.25))
    return result
