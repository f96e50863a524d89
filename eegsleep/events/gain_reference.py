"""An amplitude that depends on the electrode's gain and hardly on sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegsleep.quality import usable_epochs
from eegsleep.signals.epochs import ANALYSIS_RATE_HZ, EPOCH_SAMPLES, NREM, cut_epochs

if TYPE_CHECKING:
    import pandas as pd

    from eegsleep.recording.recording import Recording

# Above eye movements, slow waves, spindles and beta; below mains and half of the analysis rate.
GAIN_HZ = (30.0, 40.0)


def gain_reference_uv(recording: Recording, stages: pd.DataFrame, quality: pd.DataFrame) -> dict[str, float]:
    """Measure, by channel, an amplitude that follows the electrode's gain and little else.

    It is the lower quartile, over clean epochs of N2 and N3, of the root mean square in 30-40 Hz.

    Parameters
    ----------
    recording : Recording
    stages, quality : pandas.DataFrame
        Tables `HYPNOGRAM` and `QUALITY` of that recording.

    Returns
    -------
    dict of str to float
        In µV; NaN without clean NREM. Only its ratio between nights of one person and montage has a meaning.

    Notes
    -----
    A compound may change any part of the signal. Hypnotics are known to change slow waves, spindles and beta up to
    30 Hz. Above 30 Hz lie weak cortical activity, muscle and the amplifier's own noise. The quietest quarter of
    NREM holds the least muscle. Even so, a compound that relaxes muscle may lower the reference; the amplifier's
    noise, which electrode contact does not scale, makes it change less than gain does; and a recorder that filters
    at 35 Hz leaves little to measure. If the reference changes and sleep does not, gain has probably changed; if it
    does not change, gain may still differ. Look at impedances as well where the recorder has them.
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
