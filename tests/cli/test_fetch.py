"""`eegsleep fetch` as people use it: what it says, where things go, and its exit code."""

import signal
import subprocess
import sys
import time

import pytest

from eegsleep.cli.fetch import fetch
from eegsleep.cli.main import main


def test_fetch_says_what_came_and_where_it_went(server, tmp_path, run_here):
    done = run_here("fetch", "ucddb", "--mirror", server.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 files fetched (0.4 MB), 0 there already" in done.stdout
    assert "This is 1 of 25 records" in done.stdout
    assert done.stdout.splitlines()[-1] == "eegsleep-data/ucddb"
    assert (tmp_path / "eegsleep-data" / "ucddb" / "ucddb002.rec").is_file()
    assert done.stderr == ""


def test_some_missing_is_exit_1_and_says_which_and_why(server, tmp_path, run_here):
    server.wrong_bodies["SN002.edf"] = 9
    done = run_here(
        "fetch", "hmc", "--records", "SN001", "SN002", "--output", "x", "--base-url", server.url, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "3 files fetched" in done.stdout
    assert "Missing: SN002.edf: SN002.edf did not arrive as it should be" in done.stdout


def test_what_a_mirror_of_other_files_needs_is_said_before_and_after(server, tmp_path, run_here):
    done = run_here("fetch", "sleep-edf-st", "--mirror", server.url, cwd=tmp_path)
    assert done.returncode == 2
    assert "--checksums server checks them against its own list" in done.stderr
    done = run_here("fetch", "sleep-edf-st", "--mirror", server.url, "--checksums", "server", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not against the checksums in the package: these need not be the published recordings" in done.stdout
    assert "The server's list names only 2 of 44 records." in done.stdout


def test_ctrl_c_is_one_sentence_and_keeps_what_arrived(server, tmp_path):
    server.throttle_bytes_per_s = 2e5
    command = [sys.executable, "-m", "eegsleep", "fetch", "hmc", "--output", tmp_path, "--mirror", server.url]
    fetching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part, until = tmp_path / ".partial" / "SN001.edf.part", time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size):
        assert time.monotonic() < until, "the fetch never began"
        time.sleep(0.02)
    fetching.send_signal(signal.SIGINT)
    said = "what was finished is kept, and nothing half-written was left. Run the same command again."
    assert fetching.communicate(timeout=30) == ("", f"eegsleep: interrupted; {said}\n")
    assert fetching.returncode == 130
    assert part.stat().st_size > 0
    assert not (tmp_path / "SN001.edf").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hmc", "--base-url", "http://127.0.0.1:9/"], "cannot be reached"),
        (["hmc", "--base-url", "file:///etc"], "base address"),
        (["no-such-set"], "sleep-edf-st"),
        (["hmc", "--records", "SN155"], "--list"),
        (["hmc", "--streams", "99"], "1 to 8"),
        (["hmc", "--checksums", "mine"], "server"),
        (["--records", "SN001"], "no data set is named"),
        (["hmc", "--output", "taken"], "taken"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_2(arguments, words, tmp_path, monkeypatch, capsys, quick):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SystemExit, match="2"):
        main(["fetch", *arguments])
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_full_disk_is_one_sentence_and_leaves_no_broken_file(server, tmp_path):
    """Simulated by the size to which this process may let a file grow."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        f"from eegsleep.cli.main import main; main(['fetch', 'hmc', '--mirror', '{server.url}', '--output', 'to'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "make room on its disk" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "to" / "SN001.edf").exists()


def test_list_needs_no_network_and_nothing_heavy(tmp_path):
    code = (
        "import sys; from eegsleep.cli.main import app\n"
        "app(['fetch', 'sleep-edf-st', '--list'], result_action='return_value')\n"
        "print(sorted({'numpy', 'pandas', 'mne', 'requests', 'pooch', 'socket', 'wfdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert len(lines) == 44 + 2
    assert any(line.startswith("ST7012J0, subject ST701, night 2, 60 y, male, temazepam") for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_list_says_what_is_there_and_what_is_not_known(server, tmp_path):
    lines, code = fetch("cinc2018", list_records=True, output=tmp_path)
    assert "does not know the names" in lines[0]
    fetch("cinc2018", output=tmp_path, base_url=server.url)
    lines, code = fetch("cinc2018", list_records=True, output=tmp_path)
    assert code == 0
    assert lines[0].startswith("tr03-0005, tr03-0005/tr03-0005.hea + ")
    assert lines[0].endswith("here, 1.9 MB")


def test_without_a_name_the_sets_are_listed_and_each_has_its_card():
    lines, _ = fetch()
    assert len(lines) == 7
    card, _ = fetch("sleep-edf-st", about=True)
    assert any(line.startswith("Licence: Open Data Commons") for line in card)


def test_records_may_stand_behind_commas(server, tmp_path):
    lines, code = fetch("hmc", records=["SN001,SN002"], output=tmp_path, base_url=server.url)
    assert code == 0
    assert lines[0].startswith("hmc: 4 files fetched")
