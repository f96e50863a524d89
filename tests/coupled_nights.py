"""Nights of pink noise, waves and spindles whose coupling is known; nothing of `eegsleep.simulation` is used."""

import numpy as np
import pandas as pd
from planted_spindles import RATE_HZ, given_stages, record
from scipy.special import i0, i1

RUN_MIN = 10  # N2 and N3 in turn, as long each


def concentration_to_length(kappa):
    """Return the resultant length of von Mises phases."""
    return float(i1(kappa) / i0(kappa))


def make_coupled_night(
    seed, waves_per_min=8, spindles_per_min=4, share=0.4, phase_rad=0.4, kappa=3.0, minutes=180, wave_uv=130.0
):
    """Return (recording, stages, quality), the troughs, and the spindles planted: time and whether it rides on a wave.

    Waves of N2 are a quarter as many as those of N3. A share of the spindles rides on a wave of its run of 10 min at a
    phase from a von Mises distribution, the others are anywhere; no two are closer than 1 s.
    """
    rng = np.random.default_rng(seed)
    n = minutes * 60 * RATE_HZ
    spectrum = np.fft.rfft(rng.normal(size=n)) * np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 0.3) ** -0.5
    signal = np.fft.irfft(spectrum, n)
    signal *= 14.0 / signal.std()
    names = np.array([("N2", "N3")[i // (2 * RUN_MIN) % 2] for i in range(2 * minutes)])
    troughs, rows = [], []
    for first_s in range(0, minutes * 60, RUN_MIN * 60):
        rate = waves_per_min * (0.25 if names[first_s // 30] == "N2" else 1.0)
        last_s = first_s + RUN_MIN * 60
        own = _place(rng, rng.poisson(rate * RUN_MIN), first_s + 2, last_s - 3, 1.6)
        hz = np.clip(rng.normal(0.85, 0.08, len(own)), 0.65, 1.1)
        for trough_s, f, size_uv in zip(own, hz, wave_uv * rng.lognormal(0, 0.15, len(own)), strict=True):
            time_s, part = _around(signal, trough_s, 2.5)
            part += size_uv / 1.55 * -np.cos(2 * np.pi * f * time_s) * np.exp(-0.5 * (time_s * f / 0.5) ** 2)
        troughs += own
        taken = []
        for _ in range(rng.poisson(spindles_per_min * RUN_MIN)):
            rides = bool(own) and rng.random() < share
            for _ in range(60):
                at = rng.uniform(first_s + 1, last_s - 1)
                if rides:
                    wave = rng.integers(len(own))
                    turn = (rng.vonmises(phase_rad, kappa) + np.pi) % (2 * np.pi)
                    at = own[wave] + turn / (2 * np.pi * hz[wave])
                if first_s + 1 < at < last_s - 1 and all(abs(at - other) >= 1 for other in taken):
                    taken.append(at)
                    rows.append((at, rides))
                    _add_spindle(signal, at, rng)
                    break
    planted = pd.DataFrame(rows, columns=["time_s", "rides"]).sort_values("time_s", ignore_index=True)
    quality = pd.DataFrame({"epoch": range(2 * minutes), "channel": "C4", "usable": True})
    return (record(signal[None], ["C4"]), given_stages(names), quality), np.sort(troughs), planted


def _place(rng, n, first_s, last_s, apart_s):
    found = []
    for _ in range(20_000):
        if len(found) == n:
            break
        at = rng.uniform(first_s, last_s)
        if all(abs(at - other) >= apart_s for other in found):
            found.append(at)
    return found


def _around(signal, centre_s, reach_s):
    """Return time from the centre, and the part of the signal around it, to add to."""
    first = max(0, int((centre_s - reach_s) * RATE_HZ))
    stop = min(signal.size, int((centre_s + reach_s) * RATE_HZ))
    return np.arange(first, stop) / RATE_HZ - centre_s, signal[first:stop]


def _add_spindle(signal, centre_s, rng):
    length_s = rng.uniform(0.7, 1.2) * 2 / 1.3
    time_s, part = _around(signal, centre_s, length_s)
    envelope = np.where(np.abs(time_s) < length_s / 2, np.cos(np.pi * time_s / length_s) ** 2, 0)
    turn = 2 * np.pi * rng.normal(13.4, 0.4) * time_s + rng.uniform(0, 2 * np.pi)
    part += 36 * rng.lognormal(0, 0.2) / 2 * envelope * np.cos(turn)
