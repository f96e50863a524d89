"""The public sleep sets of PhysioNet: one function fetches each, and its docstring is the set's data card.

`list_nights` lists the nights of a set that are whole in a folder, with the expert's scoring and what the set tells
about the sleeper. A card names the stages as the expert's file does; eegsleep reads S3 and S4 as N3, and movement and
unknown as unscored, never as wake.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from eegsleep.datasets.checksums import find_source, list_files
from eegsleep.datasets.fetch import FetchOptions, FetchReport, fetch_files
from eegsleep.datasets.registry import data_folder, find_dataset
from eegsleep.datasets.verified import find_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eegsleep.datasets.registry import DataFile


class DatasetNight(NamedTuple):
    """One night of a public set that is whole in a folder; an empty text or None where something is not known.

    Attributes
    ----------
    id, subject : str
    night : int
        Number of the night of the subject, from 1.
    condition : str
        What was taken, or the diagnosis.
    file : Path
        The recording.
    scoring : Path or None
        The expert's stages.
    coding : str or None
        Meaning of integers in the scoring, a name in `CODINGS`.
    device : str
        Name of a device preset.
    lights_off, lights_on : str
        Clock times.
    age, sex : str
        Age in years.
    checked_by : str
        `package` or `server`: the checksums that the file was checked against.
    """

    id: str
    subject: str
    night: int
    condition: str
    file: Path
    scoring: Path | None
    coding: str | None
    device: str
    lights_off: str
    lights_on: str
    age: str
    sex: str
    checked_by: str = "package"


def list_nights(
    dataset: str, folder: Path | None = None, *, registry: Sequence[DataFile] | None = None
) -> list[DatasetNight]:
    """Return the nights of a set that were fetched and are whole; uses no network.

    Parameters
    ----------
    dataset : str
        Name in `DATASETS`.
    folder : Path, optional
        By default where `fetch` puts the set.
    registry : sequence of DataFile, optional
        The set's files with checksums, in place of those the package or the fetched list knows.

    Returns
    -------
    list of DatasetNight
        In the order of the set. A night whose recording is missing or has a wrong checksum is left out; where only
        the scoring is, it is None.

    Examples
    --------
    >>> es.list_nights("sleep-edf-st")
    []
    """
    spec = find_dataset(dataset)
    folder = Path(folder) if folder else data_folder(dataset)
    files = list(registry) if registry is not None else list_files(dataset, folder)
    whole, source = find_whole(folder, files), find_source(dataset, folder)
    scorings = {file.record: file for file in files if file.kind == "hypnogram" and file.name in whole}
    has_signals = {file.record for file in files if file.kind == "signals" and file.name not in whole}
    nights = []
    for file in files:
        if file.kind != "psg" or file.name not in whole or file.record in has_signals:
            continue
        recording = folder / file.name
        scoring = folder / scorings[file.record].name if file.record in scorings else None
        nights.append(
            DatasetNight(
                file.record,
                file.subject,
                file.night,
                file.condition,
                recording,
                scoring,
                spec.coding or None if scoring else None,
                spec.device,
                file.lights_off,
                "",
                file.age,
                file.sex,
                source,
            )
        )
    return nights


def fetch_sleep_edf_sc(
    records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]
) -> FetchReport:
    """Sleep-EDF Expanded 1.0.0, sleep cassette: 153 nights of 78 healthy people of 25 to 101 years, at home.

    Layout: SC4ssNE0-PSG.edf and SC4ssNEx-Hypnogram.edf, ss the subject, N the night, x the scorer. Two nights
    each; there are no subjects 39, 68, 69, 78, 79, and the first night of 36 and 52 and the second of 13 were lost.

    Channels: EEG Fpz-Cz, EEG Pz-Oz and EOG horizontal at 100 Hz; Resp oro-nasal, EMG submental, Temp rectal and
    Event marker at 1 Hz, in records of 30 s.

    Labels: EDF+ annotations after Rechtschaffen and Kales: Sleep stage W, 1, 2, 3, 4, R and ?, Movement time.

    Known faults: a recording lasts about 20 hours, most of it a waking day, so give it lights, or sleep statistics
    count the day; the lights-off times of the registry are the set's own. The EMG is a rectified envelope at
    1 Hz, which is no EMG to a stager.

    Checksums: SHA-1 of every file, in the package. A mirror of other files is only taken with --checksums server.

    Licence: Open Data Commons Attribution License 1.0, as PhysioNet prints it.

    Cite: Kemp et al. 2000, doi:10.1109/10.867928; Mourtazaev et al. 1995, doi:10.1093/sleep/18.7.557; the set,
    doi:10.13026/C2X676; PhysioNet, Goldberger et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("sleep-edf-sc", records, folder, **options)


def fetch_sleep_edf_st(
    records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]
) -> FetchReport:
    """Sleep-EDF Expanded 1.0.0, sleep telemetry: 22 people, one night on placebo and one on temazepam, 44 nights.

    The one public set that compares a compound with control nights. Which night was which differs between
    people (12 began with placebo, 10 with temazepam), and the registry knows it.

    Layout: ST7ssNJ0-PSG.edf and ST7ssNJx-Hypnogram.edf, ss the subject, N the night, x the scorer.

    Channels: EEG Fpz-Cz, EEG Pz-Oz, EOG horizontal and EMG submental at 100 Hz, and a marker.

    Labels: EDF+ annotations after Rechtschaffen and Kales: Sleep stage W, 1, 2, 3, 4, R and ?, Movement time.

    Known faults: some hypnograms have gaps, which count as unscored. MNE's own fetcher brings only the placebo
    nights. A model that was trained on this set must not be tested on it.

    Checksums: SHA-1 of every file, in the package. A mirror of other files is only taken with --checksums server.

    Licence: Open Data Commons Attribution License 1.0, as PhysioNet prints it.

    Cite: Kemp et al. 2000, doi:10.1109/10.867928; the set, doi:10.13026/C2X676; PhysioNet, Goldberger et al. 2000,
    doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("sleep-edf-st", records, folder, **options)


def fetch_hmc(records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]) -> FetchReport:
    """Haaglanden Medisch Centrum sleep staging database 1.1: 151 nights of 151 patients with various disorders.

    Layout: SN001.edf and SN001_sleepscoring.edf, numbers to SN154 without 14, 64 and 135, which were withdrawn
    after version 1.0.1. The set has the scoring as text, too, which is not fetched.

    Channels: EEG F4-M1, C4-M1, O2-M1, C3-M2, EOG E1-M2, E2-M2, EMG chin and ECG at 256 Hz.

    Labels: EDF+ annotations after AASM: Sleep stage W, N1, N2, N3, R.

    Known faults: `Lights off@@EEG F4-A1` and its like are bound to channels that are not in the file.

    Checksums: the set's own list, fetched first; it guards against a broken transfer, not a changed server.

    Licence: Creative Commons Attribution 4.0 International.

    Cite: Alvarez-Estevez and Rijsman 2021, doi:10.1371/journal.pone.0256111; the set, doi:10.13026/t79q-fr32;
    PhysioNet, Goldberger et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("hmc", records, folder, **options)


def fetch_cap(records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]) -> FetchReport:
    """CAP Sleep Database 1.0.0: 108 nights, 16 without pathology and 92 of patients.

    Layout: n1.edf with RemLogic's report n1.txt; n1 to n16 without pathology, nfle1 to 40 nocturnal frontal lobe
    epilepsy, rbd1 to 22 REM behaviour disorder, plm1 to 10 periodic leg movements, ins1 to 9 insomnia, narco1 to 5
    narcolepsy, sdb1 to 4 sleep-disordered breathing, brux1 and 2 bruxism.

    Channels: mostly bipolar, such as F4-C4, C4-P4, with C4-A1 or C3-A2, ROC-LOC and EMG1-EMG2; labels and rates
    (up to 512 Hz) differ between files.

    Labels: SLEEP-S0 to S4, SLEEP-REM, SLEEP-MT and SLEEP-UNSCORED after Rechtschaffen and Kales, by clock time, among
    the phases MCAP-A1 to A3, which are no stages.

    Known faults: the scoring does not begin with the recording, and runs over midnight; the length of the report's
    header and its column Position differ; some EDF headers have invalid physical limits or the wrong length.

    Checksums: the set's own list, fetched first; it guards against a broken transfer, not a changed server.

    Licence: Open Data Commons Attribution License 1.0.

    Cite: Terzano et al. 2001, doi:10.1016/S1389-9457(01)00149-6; the set, doi:10.13026/C2VC79; PhysioNet, Goldberger
    et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("cap", records, folder, **options)


def fetch_ucddb(
    records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]
) -> FetchReport:
    """St. Vincent's / University College Dublin Sleep Apnea Database 1.0.0: 25 nights of 25 people, apnoea suspected.

    Layout: ucddb002.rec, which is EDF under another suffix, and ucddb002_stage.txt; 2 to 28 without 4 and 16.
    Respiratory events and the Holter ECG of the set are not fetched.

    Channels: C3A2, C4A1 and ECG at 128 Hz, Lefteye, RightEye and EMG at 64 Hz, breathing, SpO2 and position.

    Labels: one integer an epoch of 30 s: 0 wake, 1 REM, 2 to 5 stages 1 to 4, 6 artefact, 7 indeterminate; 8 occurs
    and is not explained. Read with --coding ucddb.

    Known faults: MNE does not open the suffix .rec, eegsleep does. Eyes and chin are sampled too slowly for a stager,
    so our stages come from the EEG alone.

    Checksums: the set's own list, fetched first; it guards against a broken transfer, not a changed server.

    Licence: Open Data Commons Attribution License 1.0.

    Cite: the set, doi:10.13026/C26C7D; PhysioNet, Goldberger et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("ucddb", records, folder, **options)


def fetch_slpdb(
    records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]
) -> FetchReport:
    """MIT-BIH Polysomnographic Database 1.0.0: 18 records of 16 men, with apnoea or under CPAP.

    Layout: slp01a.hea, .dat and .st in PhysioNet's own format, read with `pip install "eegsleep[wfdb]"`.
    01a and 01b, 02a and 02b are halves of a night.

    Channels: ECG, blood pressure, breathing and one EEG, whose derivation differs between records, at 250 Hz.

    Labels: W, 1, 2, 3, 4, R and MT after Rechtschaffen and Kales, each for the 30 s behind it, among apnoeas and
    movements; some windows have no label.

    Known faults: parts of nights, some with artefacts of CPAP; the blood pressure of slp37 is not calibrated.

    Checksums: the set's own list, fetched first; it guards against a broken transfer, not a changed server.

    Licence: Open Data Commons Attribution License 1.0.

    Cite: Ichimaru and Moody 1999, doi:10.1046/j.1440-1819.1999.00527.x; the set, doi:10.13026/C23K5S; PhysioNet,
    Goldberger et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("slpdb", records, folder, **options)


def fetch_cinc2018(
    records: Sequence[str] = (), folder: Path | None = None, **options: Unpack[FetchOptions]
) -> FetchReport:
    """PhysioNet/CinC Challenge 2018 1.0.0, You Snooze You Win: 994 labelled nights of 994 patients.

    Layout: tr03-0005/tr03-0005.hea, .mat and .arousal in PhysioNet's own format, read with
    `pip install "eegsleep[wfdb]"`. The 989 nights of the test half have no public stages and are not fetched.

    Channels: EEG F3-M2, F4-M1, C3-M2, C4-M1, O1-M2, O2-M1, EOG E1-M2, Chin1-Chin2, breathing, SaO2 and ECG at 200 Hz.

    Labels: W, N1, N2, N3 and R after AASM, written when the stage changes, among arousals and breathing events.

    Known faults: one loader found tr07-0023 corrupt. A stage lasts until the next one; epochs that were undefined
    are marked in -arousal.mat, which is not fetched. The files give no clock time.

    Checksums: the set's own list, fetched first; it guards against a broken transfer, not a changed server.

    Licence: Open Data Commons Attribution License 1.0.

    Cite: Ghassemi et al. 2018, doi:10.22489/CinC.2018.049; the set, doi:10.13026/6phb-r450; PhysioNet, Goldberger
    et al. 2000, doi:10.1161/01.CIR.101.23.e215.
    """
    return fetch_files("cinc2018", records, folder, **options)


FETCHERS: dict[str, Callable[..., FetchReport]] = {
    "sleep-edf-sc": fetch_sleep_edf_sc,
    "sleep-edf-st": fetch_sleep_edf_st,
    "hmc": fetch_hmc,
    "cap": fetch_cap,
    "ucddb": fetch_ucddb,
    "slpdb": fetch_slpdb,
    "cinc2018": fetch_cinc2018,
}
