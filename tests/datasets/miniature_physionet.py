"""A PhysioNet on this machine: the real layout of the sleep sets, tiny simulated signals, real label texts.

What other tests use::

    root = make_mirror(tmp_path / "mirror")        # <root>/sleep-edfx/1.0.0/sleep-cassette/SC4001E0-PSG.edf, ...
    with MiniaturePhysioNet(root) as server:       # http://127.0.0.1:<port>/
        fetch_sleep_edf_sc(folder=..., base_url=server.url, registry=registry_of(root, "sleep-edf-sc"))

`make_mirror` writes every set (`datasets=` for some of them): Sleep-EDF SC (SC4001E0, SC4002E0), ST (ST7011J0,
ST7012J0), HMC (SN001, SN002), CAP (n1, n10), UCDDB (ucddb002), SLPDB (slp01a) and CinC 2018 (tr03-0005), each with
its `RECORDS` and `SHA256SUMS.txt`. A recording lasts `minutes`; its signals are coloured noise, which holds no
sleep, and its scoring runs through every stage the set knows. The server keeps what it was asked in `requests` and
misbehaves as its attributes say. Sleep-EDF has packaged hashes that no simulated file can have, so a test hands in
the hashes of its mirror: `registry_of`. Fetching with the other sets needs nothing of the kind.
"""

# ruff: noqa: DTZ001 - a recording's time is naive and local, as its header has it

import contextlib
import datetime as dt
import gzip
import hashlib
import threading
import time
import warnings
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import edfio
import numpy as np

UV = "uV"
SLEEP_EDF_SIGNALS = [("EEG Fpz-Cz", 100, UV), ("EEG Pz-Oz", 100, UV), ("EOG horizontal", 100, UV)]
SC_SIGNALS = [
    *SLEEP_EDF_SIGNALS,
    ("Resp oro-nasal", 1, ""),
    ("EMG submental", 1, UV),
    ("Temp rectal", 1, "DegC"),
    ("Event marker", 1, ""),
]
ST_SIGNALS = [*SLEEP_EDF_SIGNALS, ("EMG submental", 100, UV), ("Marker", 10, "")]
HMC_LABELS = ("EEG F4-M1", "EEG C4-M1", "EEG O2-M1", "EEG C3-M2", "EMG chin", "EOG E1-M2", "EOG E2-M2", "ECG")
CAP_SIGNALS = [("F4-C4", 512, UV), ("C4-A1", 512, UV), ("ROC-LOC", 256, UV), ("EMG1-EMG2", 256, UV)]
UCDDB_SIGNALS = [
    ("Lefteye", 64, UV),
    ("RightEye", 64, UV),
    ("EMG", 64, UV),
    ("C3A2", 128, UV),
    ("C4A1", 128, UV),
    ("ECG", 128, "mV"),
    ("SpO2", 8, "%"),
    ("Flow", 8, ""),
    ("BodyPos", 8, ""),
]
CINC_LABELS = (
    "F3-M2",
    "F4-M1",
    "C3-M2",
    "C4-M1",
    "O1-M2",
    "O2-M1",
    "E1-M2",
    "Chin1-Chin2",
    "ABD",
    "CHEST",
    "AIRFLOW",
    "SaO2",
    "ECG",
)

# The stages of Rechtschaffen and Kales as each set writes them, in one order: W 1 2 3 4 R movement unknown.
SLEEP_EDF_STAGES = [f"Sleep stage {x}" for x in "W1234R"] + ["Movement time", "Sleep stage ?"]
HMC_STAGES = [f"Sleep stage {x}" for x in ("W", "N1", "N2", "N3", "R")]
CAP_STAGES = [("W", "S0"), ("S1", "S1"), ("S2", "S2"), ("S3", "S3"), ("S4", "S4"), ("R", "REM"), ("MT", "MT")]
UCDDB_STAGES = [0, 2, 3, 4, 5, 1, 6, 7]
SLPDB_STAGES = ["W", "1", "2", "3", "4", "R", "MT"]
CINC_STAGES = ["W", "N1", "N2", "N3", "R"]


def coloured_noise(n, rate_hz, seed):
    """Return about 20 µV of noise whose power falls with frequency, as an EEG's does."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=n))
    spectrum /= np.maximum(np.fft.rfftfreq(n, 1 / rate_hz), 0.5) ** 0.7
    noise = np.fft.irfft(spectrum, n)
    return 20 * noise / max(noise.std(), 1e-9)


def write_edf(path, signals, minutes, start, *, record_s=30.0, annotations=(), seed=0):
    """Write noise as EDF (EDF+ with annotations): (label, rate in Hz, unit) a signal."""
    made = [
        edfio.EdfSignal(
            coloured_noise(round(minutes * 60 * rate_hz), rate_hz, seed + i),
            rate_hz,
            label=label,
            physical_dimension=unit,
            physical_range=(-250, 250),
        )
        for i, (label, rate_hz, unit) in enumerate(signals)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(
        made,
        recording=edfio.Recording(startdate=start.date()),
        starttime=start.time(),
        data_record_duration=record_s if made else None,
        annotations=annotations or None,
    ).write(path)
    return path


def write_hypnogram_edf(path, stages, minutes, start, *, extra=()):
    """Write EDF+ annotations alone: the stages in turn, each as long as the others, in whole epochs."""
    epochs = spread(stages, minutes)
    annotations = [edfio.EdfAnnotation(30.0 * i, 30.0, stage) for i, stage in enumerate(epochs)]
    return write_edf(path, [], minutes, start, annotations=[*annotations, *extra])


def spread(stages, minutes):
    """Return one stage an epoch: the stages in turn, each for about as long as the others."""
    n = int(minutes * 2)
    return [stages[i * len(stages) // n] for i in range(n)]


def make_sleep_edf(root, minutes):
    """Write two nights of one cassette sleeper and a placebo and a temazepam night of one telemetry sleeper."""
    home = root / "sleep-edfx" / "1.0.0"
    nights = [
        ("sleep-cassette", "SC4001E0", "SC4001EC", SC_SIGNALS, dt.datetime(1989, 4, 24, 16, 13)),
        ("sleep-cassette", "SC4002E0", "SC4002EC", SC_SIGNALS, dt.datetime(1989, 4, 25, 14, 50)),
        ("sleep-telemetry", "ST7011J0", "ST7011JP", ST_SIGNALS, dt.datetime(1994, 7, 12, 23, 0)),
        ("sleep-telemetry", "ST7012J0", "ST7012JP", ST_SIGNALS, dt.datetime(1994, 7, 26, 23, 45)),
    ]
    for i, (folder, psg, scoring, signals, start) in enumerate(nights):
        write_edf(home / folder / f"{psg}-PSG.edf", signals, minutes, start, seed=100 * i)
        write_hypnogram_edf(home / folder / f"{scoring}-Hypnogram.edf", SLEEP_EDF_STAGES, minutes, start)


def make_hmc(root, minutes):
    """Write two patients: 256 Hz, AASM stages, and the lights bound to a channel that is not in the file."""
    home = root / "hmc-sleep-staging" / "1.1" / "recordings"
    start = dt.datetime(2001, 1, 1, 23, 30)
    for i, name in enumerate(("SN001", "SN002")):
        write_edf(home / f"{name}.edf", [(label, 256, UV) for label in HMC_LABELS], minutes, start, record_s=1, seed=i)
        lights = [edfio.EdfAnnotation(45.5, None, "Lights off@@EEG F4-A1")]
        write_hypnogram_edf(home / f"{name}_sleepscoring.edf", HMC_STAGES, minutes, start, extra=lights)
        rows = [
            f"{start:%d.%m.%y}, {start + dt.timedelta(seconds=30 * i):%H.%M.%S}, {30 * i}, 30, {stage}, "
            for i, stage in enumerate(spread(HMC_STAGES, minutes))
        ]
        text = "\n".join(["Date, Time, Recording onset, Duration, Annotation, Linked channel", *rows, ""])
        (home / f"{name}_sleepscoring.txt").write_text(text)


def make_cap(root, minutes):
    """Write two sleepers with RemLogic's report; its scoring begins one minute after the recording."""
    home = root / "capslpdb" / "1.0.0"
    start = dt.datetime(2009, 1, 1, 23, 57)
    for i, name in enumerate(("n1", "n10")):
        write_edf(home / f"{name}.edf", CAP_SIGNALS, minutes, start, record_s=1, seed=i)
        rows = [
            "RemLogic Event Export",
            f"Patient:\t{name}",
            f"Recording Date:\t{start:%d/%m/%Y}",
            "",
            "Events Included:",
            *(f"SLEEP-{event}" for _, event in CAP_STAGES),
            "MCAP-A1",
            "",
            "Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation",
        ]
        for epoch, (stage, event) in enumerate(spread(CAP_STAGES, minutes - 1)):
            at = start + dt.timedelta(seconds=60 + 30 * epoch)
            rows.append(f"{stage}\tUnknown Position\t{at:%H:%M:%S}\tSLEEP-{event}\t30\tROC-LOC")
            if event == "S2":
                rows.append(f"{stage}\tUnknown Position\t{at:%H:%M:%S}\tMCAP-A1\t7\tROC-LOC")
        (home / f"{name}.txt").write_text("\n".join([*rows, ""]))
        (home / f"{name}.edf.st").write_bytes(b"\0\0")


def make_ucddb(root, minutes):
    """Write one patient: EDF under the suffix .rec, and one integer an epoch in which 1 is REM."""
    home = root / "ucddb" / "1.0.0"
    write_edf(home / "ucddb002.rec", UCDDB_SIGNALS, minutes, dt.datetime(2002, 9, 1, 0, 11, 4), record_s=1)
    (home / "ucddb002_stage.txt").write_text("".join(f"{x}\n" for x in spread(UCDDB_STAGES, minutes)))
    (home / "ucddb002_respevt.txt").write_text("Time  Type  PB/CS\n00:20:11  HYP-C\n")
    (home / "ucddb002_lifecard.edf").write_bytes(b"0".ljust(256))


def make_slpdb(root, minutes):
    """Write one record in PhysioNet's format: stages among events in one annotation file."""
    import wfdb

    home = root / "slpdb" / "1.0.0"
    home.mkdir(parents=True, exist_ok=True)
    n = int(minutes * 60 * 250)
    signals = np.column_stack([coloured_noise(n, 250, i) / 1000 for i in range(3)])
    wfdb.wrsamp(
        "slp01a",
        fs=250,
        units=["mV"] * 3,
        sig_name=["ECG", "BP", "EEG (C4-A1)"],
        p_signal=signals,
        fmt=["16"] * 3,
        write_dir=str(home),
        base_time=dt.time(23, 7),
    )
    notes = [note + (" H" if note == "2" else "") for note in spread(SLPDB_STAGES, minutes)]
    write_annotations(home, "slp01a", "st", notes, 250)


def make_cinc(root, minutes):
    """Write one labelled record: MATLAB 4 signals behind a WFDB header, stages written when they change."""
    from scipy.io import savemat

    name, n = "tr03-0005", int(minutes * 60 * 200)
    home = root / "challenge-2018" / "1.0.0" / "training" / name
    home.mkdir(parents=True, exist_ok=True)
    values = np.array([np.round(10 * coloured_noise(n, 200, i)) for i in range(len(CINC_LABELS))], dtype="int16")
    savemat(home / f"{name}.mat", {"val": values}, format="4")
    lines = [f"{name} {len(CINC_LABELS)} 200 {n}"]
    lines += [
        f"{name}.mat 16+24 10/uV 16 0 {row[0]} {int(row.astype(int).sum()) % 65536} 0 {label}"
        for label, row in zip(CINC_LABELS, values, strict=True)
    ]
    (home / f"{name}.hea").write_text("\n".join([*lines, ""]))
    epochs = spread(CINC_STAGES, minutes)
    changes = [stage if i == 0 or stage != epochs[i - 1] else None for i, stage in enumerate(epochs)]
    write_annotations(home, name, "arousal", changes, 200)


def write_annotations(home, record, extension, notes, rate_hz):
    """Write the texts of 30 s epochs as a WFDB annotation file; None writes nothing for its epoch."""
    import wfdb

    at = [i for i, note in enumerate(notes) if note is not None]
    wfdb.wrann(
        record,
        extension,
        np.array([30 * rate_hz * i for i in at]) + 1,
        symbol=['"'] * len(at),
        aux_note=[notes[i] for i in at],
        write_dir=str(home),
    )


MAKERS = {
    "sleep-edfx/1.0.0": make_sleep_edf,
    "hmc-sleep-staging/1.1": make_hmc,
    "capslpdb/1.0.0": make_cap,
    "ucddb/1.0.0": make_ucddb,
    "slpdb/1.0.0": make_slpdb,
    "challenge-2018/1.0.0": make_cinc,
}
PROJECTS = {
    "sleep-edf-sc": "sleep-edfx/1.0.0",
    "sleep-edf-st": "sleep-edfx/1.0.0",
    "hmc": "hmc-sleep-staging/1.1",
    "cap": "capslpdb/1.0.0",
    "ucddb": "ucddb/1.0.0",
    "slpdb": "slpdb/1.0.0",
    "cinc2018": "challenge-2018/1.0.0",
}


def make_mirror(root, datasets=tuple(PROJECTS), minutes=6):
    """Write the sets below `root` as PhysioNet lays them out below https://physionet.org/files/; return `root`."""
    for project in dict.fromkeys(PROJECTS[name] for name in datasets):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # wfdb's own use of pandas
            MAKERS[project](root, minutes)
        write_lists(root / project)
    return root


def write_lists(project):
    """Write RECORDS and SHA256SUMS.txt (one space between hash and name, as PhysioNet has it) of a project."""
    files = sorted(p for p in project.rglob("*") if p.is_file() and p.name not in {"RECORDS", "SHA256SUMS.txt"})
    records = [p.relative_to(project).as_posix() for p in files if p.suffix in {".edf", ".rec", ".hea"}]
    (project / "RECORDS").write_text("".join(f"{name}\n" for name in records))
    hashed = [*files, project / "RECORDS"]
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.relative_to(project).as_posix()}\n" for p in hashed]
    (project / "SHA256SUMS.txt").write_text("".join(lines))


def registry_of(root, dataset):
    """Return the packaged registry of a set with the hashes of the mirror, for the files the mirror has."""
    from eegsleep.datasets.registry import DATASETS, read_registry

    home = root / DATASETS[dataset].project / DATASETS[dataset].subfolder
    return [
        replace(file, algorithm="sha1", digest=hashlib.sha1((home / file.name).read_bytes()).hexdigest())  # noqa: S324
        for file in read_registry(dataset)
        if (home / file.name).is_file()
    ]


class MiniaturePhysioNet:
    """A server of `root` on this machine, as a context manager; it keeps its manners until told otherwise.

    Attributes (all may be changed while it runs; a name is the last part of a path)
    ----------
    url : str
        Base address, with the slash at its end.
    requests : list of (name, Range header or None)
        What was asked, in order; `validators` has the If-Range of each, or None.
    cut_after_bytes : dict of name to list of int
        The next answers for this name end after so many bytes, one a number.
    busy : Counter of name
        How many of the next requests are answered 503 with Retry-After; `busy_status` for 429.
    wrong_bodies : Counter of name
        How many of the next answers hold other bytes of the same length.
    wrong_ranges : Counter of name
        How many of the next answers to Range begin one byte later than asked, and say so.
    compresses : bool
        Whether everything comes as gzip, although nobody asked; a Range counts the compressed bytes.
    throttle_bytes_per_s : float or None
        Speed of each connection.
    ignores_range, sends_etags : bool
        Whether Range is ignored (200 with everything), and whether there is a validator.
    most_at_once : int
        How many files were on their way at the same time.
    redirects : dict of name to address
        Where 302 sends those who ask for a name.
    """

    def __init__(self, root):
        self.root = root
        self.requests, self.validators = [], []
        self.cut_after_bytes = {}
        self.busy, self.busy_status, self.retry_after_s = Counter(), 503, 0
        self.wrong_bodies, self.wrong_ranges = Counter(), Counter()
        self.compresses = False
        self.throttle_bytes_per_s = None
        self.ignores_range, self.sends_etags = False, True
        self.redirects = {}
        self.lock = threading.Lock()
        self.most_at_once, self.at_once = 0, 0

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def names(self):
        """Return the names asked for, in order."""
        return [name for name, _ in self.requests]

    def take(self, counter, name):
        """Tell whether a counted misbehaviour is due for this name, and count it down."""
        with self.lock:
            due = counter[name] > 0
            counter[name] -= due
            return due


def _handler_of(site):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(ConnectionError):  # the other side was killed, or has had enough
                _answer(site, self)

        def log_message(self, *arguments):
            """Say nothing: the tests look at `requests`."""

    return Handler


def _answer(site, handler):
    path = site.root / handler.path.lstrip("/")
    name, asked = path.name, handler.headers.get("Range")
    site.requests.append((name, asked))
    site.validators.append(handler.headers.get("If-Range"))
    if name in site.redirects:
        handler.send_response(302)
        handler.send_header("Location", site.redirects[name])
        handler.end_headers()
        return
    if site.take(site.busy, name):
        handler.send_response(site.busy_status)
        handler.send_header("Retry-After", str(site.retry_after_s))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if not path.is_file():
        handler.send_error(404)
        return
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    if site.take(site.wrong_bodies, name):
        body = bytes(255 - byte for byte in body[:1000]) + body[1000:]
    if site.compresses:
        body = gzip.compress(body, mtime=0)
    start = 0 if site.ignores_range else _wanted_start(handler, etag, asked)
    _send(site, handler, body, etag, start + (start > 0 and site.take(site.wrong_ranges, name)))


def _wanted_start(handler, etag, asked):
    """Return from which byte the file is wanted: 0 if the part was fetched from another version of it."""
    same = handler.headers.get("If-Range") in {None, etag}
    return int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0


def _send(site, handler, body, etag, start):
    name = handler.path.rsplit("/", 1)[-1]
    if start >= len(body) > 0:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(body)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    if site.compresses:
        handler.send_header("Content-Encoding", "gzip")
    if site.sends_etags:
        handler.send_header("ETag", etag)
    handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    with site.lock:
        cuts = site.cut_after_bytes.get(name)
        end = start + cuts.pop(0) if cuts else len(body)
        site.at_once += 1
        site.most_at_once = max(site.most_at_once, site.at_once)
    piece = 64_000 if site.throttle_bytes_per_s is None else max(int(site.throttle_bytes_per_s / 50), 1)
    try:
        for at in range(start, min(end, len(body)) - piece, piece):
            handler.wfile.write(body[at : at + piece])
            if site.throttle_bytes_per_s:
                time.sleep(0.02)
    finally:  # before the last piece, behind which the next request may come at once
        with site.lock:
            site.at_once -= 1
    n_left = (min(end, len(body)) - start) % piece or piece
    handler.wfile.write(body[max(min(end, len(body)) - n_left, start) : end])
    if end < len(body):
        handler.close_connection = True
