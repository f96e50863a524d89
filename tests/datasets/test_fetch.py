"""Fetching through a network as it is: throttled, cut, busy, wrong, gone; what lies in the folder is whole."""

import email.utils
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from datasets.miniature_physionet import MiniaturePhysioNet, registry_of, write_lists

from eegsleep.datasets import transfer
from eegsleep.datasets.fetch import fetch_files
from eegsleep.datasets.physionet import fetch_hmc, fetch_sleep_edf_sc, fetch_sleep_edf_st, list_nights
from eegsleep.datasets.registry import SUMS_FILE, data_folder
from eegsleep.datasets.transfer import (
    CHUNK_BYTES,
    InterruptedFetchError,
    UnreachableError,
    complete_part,
    open_connection,
)
from eegsleep.errors import EegSleepError, SettingsError, TableError

pytestmark = pytest.mark.usefixtures("quick")
SC4001 = ["SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf"]


@pytest.fixture
def fetch_sc(mirror, server, tmp_path):
    """Return a function that fetches Sleep-EDF SC from the server into one folder."""
    registry = registry_of(mirror, "sleep-edf-sc")

    def fetch(records=(), **options):
        options = {"base_url": server.url, "registry": registry} | options
        return fetch_sleep_edf_sc(records, tmp_path / "sc", **options)

    return fetch


def visible(folder):
    """Return the names of what a user sees in a folder."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def content(mirror, name):
    """Return what the mirror holds under a name."""
    return next(mirror.rglob(name)).read_bytes()


# ---- what is fetched, and when ---------------------------------------------------------------------------------------


def test_without_records_one_night_is_fetched_whole(fetch_sc, server, mirror, tmp_path):
    report = fetch_sc()
    assert list(report.fetched) == SC4001
    assert (report.kept, report.failed, report.n_records) == ((), {}, 1)
    assert visible(tmp_path / "sc") == SC4001
    assert all((tmp_path / "sc" / name).read_bytes() == content(mirror, name) for name in SC4001)
    assert report.n_bytes == sum(len(content(mirror, name)) for name in SC4001)


def test_what_is_whole_is_not_fetched_again(fetch_sc, server):
    fetch_sc()
    server.requests.clear()
    report = fetch_sc(["all"])
    assert list(report.kept) == SC4001
    assert sorted(server.names()) == ["SC4002E0-PSG.edf", "SC4002EC-Hypnogram.edf"]


def test_a_damaged_file_is_fetched_anew_and_a_touched_one_is_not(fetch_sc, server, mirror, tmp_path):
    fetch_sc()
    server.requests.clear()
    psg, scoring = (tmp_path / "sc" / name for name in SC4001)
    os.utime(scoring, ns=(1, 1))
    damaged = bytearray(psg.read_bytes())
    damaged[5000] ^= 1
    psg.write_bytes(damaged)
    fetch_sc()
    assert server.names() == [psg.name]
    assert psg.read_bytes() == content(mirror, psg.name)


def test_a_set_without_packaged_checksums_is_checked_against_its_own_list(server, mirror, tmp_path):
    report = fetch_hmc(["SN002"], tmp_path, base_url=server.url)
    assert server.names()[0] == SUMS_FILE
    assert (tmp_path / SUMS_FILE).read_bytes() == (mirror / "hmc-sleep-staging/1.1" / SUMS_FILE).read_bytes()
    assert list(report.fetched) == ["SN002.edf", "SN002_sleepscoring.edf"]
    server.requests.clear()
    assert len(fetch_hmc(["SN002"], tmp_path, base_url=server.url).kept) == 2
    assert server.requests == []


def test_both_nights_of_a_sleeper_come_with_placebo_and_temazepam(server, mirror, tmp_path):
    registry = registry_of(mirror, "sleep-edf-st")
    report = fetch_sleep_edf_st((), tmp_path, base_url=server.url, registry=registry)
    assert sorted(report.fetched) == [
        "ST7011J0-PSG.edf",
        "ST7011JP-Hypnogram.edf",
        "ST7012J0-PSG.edf",
        "ST7012JP-Hypnogram.edf",
    ]


def test_an_unknown_record_is_refused_before_anything_is_asked(fetch_sc, server):
    with pytest.raises(SettingsError, match=r"'SC4999'.*--list"):
        fetch_sc(["SC4001", "SC4999"])
    assert server.requests == []


def test_the_folder_is_named_by_the_set_and_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("EEGSLEEP_DATA", raising=False)
    assert data_folder("hmc") == Path("eegsleep-data/hmc")
    monkeypatch.setenv("EEGSLEEP_DATA", str(tmp_path))
    assert data_folder("hmc") == tmp_path / "hmc"


# ---- a bad network ---------------------------------------------------------------------------------------------------


def test_a_cut_connection_is_continued_where_it_stopped(fetch_sc, server, mirror, tmp_path):
    server.cut_after_bytes["SC4001E0-PSG.edf"] = [100_000, 50_000]
    fetch_sc()
    starts = [int(wanted[6:-1]) for name, wanted in server.requests if name == "SC4001E0-PSG.edf" and wanted]
    assert len(starts) == 2
    assert 100_000 - CHUNK_BYTES < starts[0] <= 100_000, "no more than the piece being read is lost"
    assert starts[0] + 50_000 - CHUNK_BYTES < starts[1] <= starts[0] + 50_000
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_a_connection_that_is_always_cut_at_once_is_given_up(fetch_sc, server):
    server.cut_after_bytes["SC4001E0-PSG.edf"] = [10] * 50
    report = fetch_sc()
    assert list(report.fetched) == ["SC4001EC-Hypnogram.edf"]
    assert server.names().count("SC4001E0-PSG.edf") == transfer.TRIES
    error = report.failed["SC4001E0-PSG.edf"]
    assert "the connection broke" in error.found
    assert not isinstance(error, UnreachableError), "it did answer"


def test_a_server_that_ignores_range_sends_everything_again(fetch_sc, server, mirror, tmp_path):
    server.ignores_range = True
    server.cut_after_bytes["SC4001E0-PSG.edf"] = [100_000]
    report = fetch_sc()
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")
    assert report.n_bytes == sum(len(content(mirror, name)) for name in SC4001), "what was lost is not counted"


def test_a_server_without_validators_is_continued_too(fetch_sc, server, mirror, tmp_path):
    server.sends_etags = False
    server.cut_after_bytes["SC4001E0-PSG.edf"] = [100_000]
    fetch_sc()
    assert [wanted is None for name, wanted in server.requests if name == "SC4001E0-PSG.edf"] == [True, False]
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_a_part_of_another_version_of_the_file_is_not_continued(fetch_sc, server, mirror, tmp_path):
    partial = tmp_path / "sc" / ".partial"
    partial.mkdir(parents=True)
    (partial / "SC4001E0-PSG.edf.part").write_bytes(b"old" * 1000)
    (partial / "SC4001E0-PSG.edf.part.tag").write_text('"another version"')
    report = fetch_sc()
    assert server.names().count("SC4001E0-PSG.edf") == 1, "no second chance was needed"
    assert not report.failed
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_what_a_power_cut_left_of_a_part_does_not_stop_the_next_fetch(fetch_sc, server, mirror, tmp_path):
    """Zeros in the file and in the note of its version: not sent to the server, and found by the checksum."""
    partial = tmp_path / "sc" / ".partial"
    partial.mkdir(parents=True)
    (partial / "SC4001E0-PSG.edf.part").write_bytes(bytes(3000))
    (partial / "SC4001E0-PSG.edf.part.tag").write_bytes(bytes(18))
    assert not fetch_sc().failed
    assert server.validators == [None] * 3
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_a_part_longer_than_the_file_is_thrown_away(fetch_sc, server, mirror, tmp_path):
    partial = tmp_path / "sc" / ".partial"
    partial.mkdir(parents=True)
    (partial / "SC4001EC-Hypnogram.edf.part").write_bytes(bytes(10_000))
    fetch_sc()
    assert (tmp_path / "sc" / "SC4001EC-Hypnogram.edf").read_bytes() == content(mirror, "SC4001EC-Hypnogram.edf")


def test_a_part_that_had_all_arrived_is_only_checked(fetch_sc, server, mirror, tmp_path):
    partial = tmp_path / "sc" / ".partial"
    partial.mkdir(parents=True)
    shutil.copy(next(mirror.rglob("SC4001E0-PSG.edf")), partial / "SC4001E0-PSG.edf.part")
    report = fetch_sc()
    assert report.n_bytes == len(content(mirror, "SC4001EC-Hypnogram.edf"))
    assert list(report.fetched) == SC4001


def test_an_answer_that_begins_elsewhere_than_asked_is_not_appended(fetch_sc, server, mirror, tmp_path):
    server.cut_after_bytes["SC4001E0-PSG.edf"], server.wrong_ranges["SC4001E0-PSG.edf"] = [100_000], 1
    assert not fetch_sc().failed
    asked = [wanted is None for name, wanted in server.requests if name == "SC4001E0-PSG.edf"]
    assert asked == [True, False, True], "from the beginning, and no second chance was needed"
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_a_server_that_compresses_unasked_is_not_continued_but_read(fetch_sc, server, mirror, tmp_path):
    """Its byte positions are those of the compressed file, and what arrived was unpacked."""
    server.compresses = True
    server.cut_after_bytes["SC4001E0-PSG.edf"] = [100_000]
    assert not fetch_sc().failed
    assert all((tmp_path / "sc" / name).read_bytes() == content(mirror, name) for name in SC4001)


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_server_is_asked_again_later(fetch_sc, server, status):
    server.busy["SC4001E0-PSG.edf"], server.busy_status = 2, status
    assert not fetch_sc().failed
    assert server.names().count("SC4001E0-PSG.edf") == 3


@pytest.mark.parametrize(
    ("asked", "longest_s", "expected_s"),
    [
        ("30", 60.0, pytest.approx(30)),
        ("9999", 60.0, pytest.approx(60)),
        ("in half an hour", 3600.0, pytest.approx(1800, abs=600)),
        ("when it suits us", 60.0, 0.0),
    ],
    ids=["seconds", "too many seconds", "date", "words"],  # a date in the name would differ between the processes
)
def test_the_pause_a_server_asks_for_is_kept_and_has_a_limit(
    server, tmp_path, monkeypatch, asked, longest_s, expected_s
):
    """`Retry-After: 9999` must not hold a fetch for hours, and a shorter one, in seconds or as a date, is kept."""
    if asked == "in half an hour":
        asked = email.utils.formatdate(time.time() + 1800, usegmt=True)
    pauses = []

    class Watched(threading.Event):
        def wait(self, timeout=None):
            pauses.append(timeout)

    monkeypatch.setattr(transfer, "LONGEST_PAUSE_S", longest_s)
    server.busy["SN001.edf"], server.retry_after_s = 1, asked
    url, stop = server.url + "hmc-sleep-staging/1.1/recordings/SN001.edf", Watched()
    with open_connection(stop) as connection:
        complete_part(url, tmp_path / "SN001.edf", connection, stop, lambda _: None)
    assert pauses == [expected_s]


def test_a_wrong_checksum_has_one_second_chance(fetch_sc, server, mirror, tmp_path):
    server.wrong_bodies["SC4001E0-PSG.edf"] = 1
    assert not fetch_sc().failed
    assert (tmp_path / "sc" / "SC4001E0-PSG.edf").read_bytes() == content(mirror, "SC4001E0-PSG.edf")


def test_a_file_that_stays_wrong_is_not_kept_and_costs_no_other(fetch_sc, server, mirror, tmp_path):
    server.wrong_bodies["SC4001E0-PSG.edf"] = 99
    report = fetch_sc(["all"])
    assert list(report.failed) == ["SC4001E0-PSG.edf"]
    assert len(report.fetched) == 3
    assert visible(tmp_path / "sc") == ["SC4001EC-Hypnogram.edf", "SC4002E0-PSG.edf", "SC4002EC-Hypnogram.edf"]
    assert not (tmp_path / "sc" / ".partial").exists()
    error = report.failed["SC4001E0-PSG.edf"]
    assert hashlib.sha1(content(mirror, "SC4001E0-PSG.edf")).hexdigest() in error.allowed  # noqa: S324
    wrong = (
        bytes(255 - b for b in content(mirror, "SC4001E0-PSG.edf")[:1000]) + content(mirror, "SC4001E0-PSG.edf")[1000:]
    )
    assert hashlib.sha1(wrong).hexdigest() in error.found  # noqa: S324
    assert "--mirror" in error.remedy
    assert "--checksums" not in error.remedy, "the list it was checked against was the caller's"


def test_a_file_the_server_does_not_have_costs_no_other(mirror, server, fetch_sc):
    registry = registry_of(mirror, "sleep-edf-sc")
    registry[0] = replace(registry[0], name="SC4001E1-PSG.edf")
    report = fetch_sc(["all"], registry=registry)
    assert "HTTP 404" in str(report.failed["SC4001E1-PSG.edf"])
    assert server.names().count("SC4001E1-PSG.edf") == 1, "asking again would not help"
    assert len(report.fetched) == 3


def test_offline_is_one_clear_sentence(tmp_path):
    with socket.socket() as taken:  # a port where nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(UnreachableError, match=r"refused.*from http.*SHA256SUMS.*is kept.*--mirror"):
            fetch_hmc((), tmp_path, base_url=address)
        report = fetch_sleep_edf_sc(["SC41*"], tmp_path, base_url=address)
    assert len(report.failed) == 38
    # four at a time, of which each may have begun one more before the first failed
    assert len({str(error) for error in report.failed.values()}) <= 8, "the rest was not tried"
    assert visible(tmp_path) == []


def test_a_password_in_the_address_is_not_told(server, tmp_path):
    address = server.url.replace("//", "//somebody:secret@")
    report = fetch_sleep_edf_st((), tmp_path, base_url=address)
    server.busy[SUMS_FILE] = 9
    with pytest.raises(EegSleepError, match="503") as caught:
        fetch_hmc((), tmp_path, base_url=address)
    said = [str(error) for error in (*report.failed.values(), caught.value)]
    assert len(said) == 5
    assert not any("secret" in text for text in said)


def test_a_server_that_goes_away_leaves_what_was_fetched(mirror, fetch_sc, tmp_path):
    with MiniaturePhysioNet(mirror) as other:
        fetch_sc(base_url=other.url)
    report = fetch_sc(["all"], base_url=other.url)
    assert list(report.kept) == SC4001
    assert all(isinstance(error, UnreachableError) for error in report.failed.values())
    assert visible(tmp_path / "sc") == SC4001


def test_no_more_streams_than_were_asked_for(server, mirror, tmp_path):
    server.throttle_bytes_per_s = 2e6
    registry = registry_of(mirror, "sleep-edf-sc") + registry_of(mirror, "sleep-edf-st")
    sc = [file for file in registry if file.name.startswith("SC")]
    fetch_files("sleep-edf-sc", ["all"], tmp_path, base_url=server.url, streams=2, registry=sc)
    assert server.most_at_once == 2
    with pytest.raises(SettingsError, match=r"1 to 8"):
        fetch_files("sleep-edf-sc", ["all"], tmp_path, base_url=server.url, streams=9)


def test_two_fetches_into_one_folder_share_the_work(fetch_sc, server, tmp_path):
    server.throttle_bytes_per_s = 1e6
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(fetch_sc(["all"]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(report.fetched) for report in reports) == [0, 4]
    assert sorted(len(report.kept) for report in reports) == [0, 4]
    assert len(server.requests) == 4


def test_a_stopped_fetch_keeps_what_arrived(server, tmp_path):
    stop, part = threading.Event(), tmp_path / "x.part"
    url = server.url + "hmc-sleep-staging/1.1/recordings/SN001.edf"
    with open_connection(stop) as connection, pytest.raises(InterruptedFetchError, match=r"continue"):
        complete_part(url, part, connection, stop, lambda _: stop.set())
    assert 0 < part.stat().st_size < 1_000_000


def test_a_killed_fetch_goes_on_where_it_stopped(server, mirror, tmp_path):
    """Nothing but `.part` files outlives `kill -9`, and the next fetch asks for the rest only."""
    server.throttle_bytes_per_s = 4e5
    command = [sys.executable, "-m", "eegsleep", "fetch", "hmc", "--output", tmp_path, "--base-url", server.url]
    part = tmp_path / ".partial" / "SN001.edf.part"
    fetching = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size > 100_000):
        assert time.monotonic() < until, "the fetch never began"
        time.sleep(0.02)
    fetching.send_signal(signal.SIGKILL)
    fetching.wait()
    assert "SN001.edf" not in visible(tmp_path)
    arrived = part.stat().st_size
    server.throttle_bytes_per_s = None
    server.requests.clear()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("SN001.edf", f"bytes={arrived}-") in server.requests
    assert visible(tmp_path) == [SUMS_FILE, "SN001.edf", "SN001_sleepscoring.edf"]
    assert (tmp_path / "SN001.edf").read_bytes() == content(mirror, "SN001.edf")
    assert not (tmp_path / ".partial").exists()


# ---- whose checksums -------------------------------------------------------------------------------------------------


def test_the_packages_checksums_refuse_other_files_and_say_how_a_mirror_of_others_is_taken(server, tmp_path):
    report = fetch_sleep_edf_st((), tmp_path, base_url=server.url)
    assert len(report.failed) == 4
    assert SUMS_FILE not in server.names()
    assert all("--checksums server" in error.remedy for error in report.failed.values())
    assert visible(tmp_path) == []


def test_the_servers_list_is_taken_when_asked_for_and_stays_with_the_files(server, tmp_path):
    """The mirror's own checksums judge, the package still knows the nights, and that is kept in the folder."""
    options = {"base_url": server.url, "checksums": "server"}
    server.wrong_bodies["ST7012J0-PSG.edf"] = 2
    report = fetch_sleep_edf_st(["all"], tmp_path, **options)
    assert list(report.failed) == ["ST7012J0-PSG.edf"], "a wrong file is refused as ever"
    assert (report.n_records, report.n_listed) == (2, 2)
    assert not fetch_sleep_edf_st((), tmp_path, **options).failed
    assert [(night.id, night.condition, night.checked_by) for night in list_nights("sleep-edf-st", tmp_path)] == [
        ("ST7011J0", "placebo", "server"),
        ("ST7012J0", "temazepam", "server"),
    ]


def test_the_files_of_one_folder_are_not_judged_now_by_one_list_and_now_by_another(server, mirror, tmp_path):
    options = {"base_url": server.url}
    fetch_sleep_edf_st((), tmp_path / "server", checksums="server", **options)
    server.requests.clear()
    with pytest.raises(SettingsError, match=r"a server's own list.*Found: SHA256SUMS.txt.*--checksums server"):
        fetch_sleep_edf_st((), tmp_path / "server", **options)
    (tmp_path / "package").mkdir()
    shutil.copy(next(mirror.rglob("ST7011J0-PSG.edf")), tmp_path / "package")
    with pytest.raises(SettingsError, match=r"the package's checksums.*--output"):
        fetch_sleep_edf_st((), tmp_path / "package", checksums="server", **options)
    with pytest.raises(SettingsError, match=r"Found: mine\. Allowed: package or server"):
        fetch_sleep_edf_st((), tmp_path / "x", checksums="mine", **options)
    assert server.requests == []


def test_a_record_that_the_servers_list_lacks_is_told_from_one_that_does_not_exist(server, tmp_path):
    with pytest.raises(
        SettingsError, match=r"SHA256SUMS\.txt of hmc has no record 'SN003'\. Allowed: SN001, SN002, or"
    ):
        fetch_hmc(["SN003"], tmp_path, base_url=server.url)


# ---- a hostile server ------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server(mirror, tmp_path):
    """Return a server of HMC alone, whose files a test may change."""
    root = tmp_path / "own"
    shutil.copytree(mirror / "hmc-sleep-staging", root / "hmc-sleep-staging")
    with MiniaturePhysioNet(root) as served:
        yield served


@pytest.mark.parametrize("name", ["../../evil.edf", "/etc/evil.edf", "recordings/../../evil.edf", "C:\\evil.edf"])
def test_a_list_that_names_files_outside_the_folder_is_refused(own_server, tmp_path, name):
    sums = own_server.root / "hmc-sleep-staging" / "1.1" / SUMS_FILE
    sums.write_text(f"{sums.read_text()}{'0' * 64} {name}\n")
    with pytest.raises(TableError, match=r"outside its folder"):
        fetch_hmc((), tmp_path / "to", base_url=own_server.url)
    assert own_server.names() == [SUMS_FILE]
    assert visible(tmp_path / "to") == []


def test_a_registry_that_names_files_outside_the_folder_is_refused(mirror, fetch_sc, server, tmp_path):
    registry = [replace(file, name=f"../{file.name}") for file in registry_of(mirror, "sleep-edf-sc")]
    with pytest.raises(TableError, match=r"outside its folder"):
        fetch_sc(registry=registry)
    assert server.requests == []


def test_a_page_in_place_of_the_list_is_refused_and_not_kept(own_server, tmp_path):
    """A hotel's login page answers 200 to everything."""
    (own_server.root / "hmc-sleep-staging" / "1.1" / SUMS_FILE).write_text("<html>Welcome to our network</html>")
    with pytest.raises(TableError, match=r"not a checksum.*Welcome"):
        fetch_hmc((), tmp_path / "to", base_url=own_server.url)
    assert visible(tmp_path / "to") == []


def test_a_server_that_never_ends_does_not_fill_the_disk(server, tmp_path, monkeypatch):
    url, part = server.url + "hmc-sleep-staging/1.1/recordings/SN001.edf", tmp_path / "x.part"
    stop = threading.Event()
    with open_connection(stop) as connection, pytest.raises(EegSleepError, match=r"more than 0\.05 MB, which no file"):
        complete_part(url, part, connection, stop, lambda _: None, max_bytes=50_000)
    assert part.stat().st_size == 0
    monkeypatch.setattr(transfer, "MAX_LIST_BYTES", 100)
    with pytest.raises(EegSleepError, match=r"SHA256SUMS"):
        fetch_hmc((), tmp_path / "to", base_url=server.url)
    assert visible(tmp_path / "to") == []


def test_a_list_cut_short_is_refused_or_asked_again(own_server, tmp_path):
    own_server.cut_after_bytes[SUMS_FILE] = [30]
    assert not fetch_hmc((), tmp_path / "to", base_url=own_server.url).failed


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirection_leads_to_no_other_kind_of_address(own_server, tmp_path, target):
    own_server.redirects["SN001.edf"] = target
    report = fetch_hmc((), tmp_path / "to", base_url=own_server.url)
    assert list(report.failed) == ["SN001.edf"]
    assert "SN001.edf" not in visible(tmp_path / "to")


def test_a_redirection_to_another_server_is_followed_and_checked(own_server, server, tmp_path):
    own_server.redirects["SN001.edf"] = server.url + "hmc-sleep-staging/1.1/recordings/SN001.edf"
    assert not fetch_hmc((), tmp_path / "to", base_url=own_server.url).failed


def test_a_server_whose_files_changed_does_not_pass(own_server, tmp_path):
    """Checked against the list kept from the first fetch, which the folder's other files agree with."""
    fetch_hmc(["SN001"], tmp_path / "to", base_url=own_server.url)
    changed = own_server.root / "hmc-sleep-staging" / "1.1" / "recordings" / "SN002.edf"
    changed.write_bytes(changed.read_bytes()[:-2])
    write_lists(own_server.root / "hmc-sleep-staging" / "1.1")
    report = fetch_hmc(["SN002"], tmp_path / "to", base_url=own_server.url)
    assert list(report.failed) == ["SN002.edf"]


@pytest.mark.parametrize("address", ["file:///etc", "physionet.org", "https://", "http://a/?q=1"])
def test_an_address_that_is_none_is_refused(tmp_path, address):
    with pytest.raises(SettingsError, match=r"base address"):
        fetch_hmc((), tmp_path, base_url=address)
