"""No other user of the machine gets in: nothing listens for a local batch, and a cluster can ask for certificates."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import stand_in
from running_scheduler import run_scheduler

from eegsleep.batch import cluster, resources
from eegsleep.batch.cluster import describe_scheduler
from eegsleep.batch.resources import Resources, check_resources
from eegsleep.batch.run import run_batch
from eegsleep.errors import EegSleepError, SettingsError


def find_listening(processes):
    """Return what the processes listen on: addresses of the network, and numbers of listening local sockets."""
    import psutil

    # each column of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is "accepts"
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[6]}]" for row in rows if int(row[3], 16) & 0x10000}
    found = []
    for process in processes:
        try:
            found += [each.laddr for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]
            links = Path(f"/proc/{process.pid}/fd").iterdir()
            found += [link for link in links if str(link.readlink()) in listening]
        except (psutil.Error, OSError):  # it ended meanwhile
            continue
    return found


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nobody_can_connect_to_a_batch_on_this_machine(make_jobs, tmp_path):
    """From the first process to the last night, nothing of the batch accepts a connection from anyone."""
    import psutil

    make_jobs(*(f"slow-{i}" for i in range(6)))
    command = [sys.executable, stand_in.__file__, str(tmp_path / "recordings"), str(tmp_path / "out"), "2"]
    running = subprocess.Popen(command)
    most = 0
    try:
        while running.poll() is None:
            try:
                processes = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                break
            most = max(most, len(processes))
            assert not find_listening(processes)
            time.sleep(0.02)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0
    assert most >= 3, "the command and two workers were looked at"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return the files of an authority that signs itself, in PEM: certificate and key serve all sides."""
    from distributed import Security

    folder = tmp_path_factory.mktemp("certificates")
    security = Security.temporary()
    (folder / "cert.pem").write_text(security.tls_client_cert)
    (folder / "key.pem").write_text(security.tls_client_key)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def protected(certificates, tmp_path_factory):
    cert, key = map(str, certificates)
    options = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    with run_scheduler(tmp_path_factory.mktemp("protected"), *options, protocol="tls") as (file, _):
        yield file


@pytest.mark.nightly
def test_a_protected_scheduler_takes_those_with_a_certificate(make_jobs, protected, certificates, tmp_path):
    cert, key = certificates
    resources = Resources(scheduler=protected, tls_ca=cert, tls_cert=cert, tls_key=key)
    assert not describe_scheduler(resources)
    table = run_batch(make_jobs("a", "b"), tmp_path / "out", resources=resources, work=stand_in.pretend)
    assert list(table["status"]) == ["done", "done"]


@pytest.mark.nightly
@pytest.mark.parametrize("with_files", ["none", "others"])
def test_a_stranger_is_turned_away(with_files, make_jobs, protected, tmp_path, monkeypatch):
    """Neither a client without certificate nor one with another authority's gets a function run."""
    from distributed import Security

    monkeypatch.setattr(cluster, "_CONNECT_S", 3.0)
    resources = Resources(scheduler=protected)
    if with_files == "others":
        security = Security.temporary()
        (tmp_path / "cert.pem").write_text(security.tls_client_cert)
        (tmp_path / "key.pem").write_text(security.tls_client_key)
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        resources = Resources(scheduler=protected, tls_ca=cert, tls_cert=cert, tls_key=key)
    with pytest.raises(EegSleepError, match="does not answer"):
        run_batch(make_jobs("a", "b"), tmp_path / "out", resources=resources, work=stand_in.pretend)
    assert not list(tmp_path.glob("out/*/markers.csv"))


def test_an_unprotected_scheduler_is_named():
    said = describe_scheduler(Resources(scheduler="tcp://127.0.0.1:8786"))
    assert "not protected" in said
    assert "tcp://127.0.0.1:8786" in said
    assert not describe_scheduler(Resources())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tls_ca": "a.pem", "tls_cert": "a.pem", "tls_key": "a.pem"}, "without --scheduler"),
        ({"tls_ca": "a.pem", "scheduler": "tls://x:1"}, "--tls-ca with --scheduler"),
        ({"tls_ca": "a.pem", "tls_cert": "a.pem", "tls_key": "no.pem", "scheduler": "tls://x:1"}, "--tls-key is no"),
    ],
)
def test_certificates_come_together_and_exist(given, words, tmp_path):
    (tmp_path / "a.pem").write_text("")
    given = {name: tmp_path / value if name != "scheduler" else value for name, value in given.items()}
    with pytest.raises(SettingsError, match=words):
        check_resources(Resources(**given))


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"\x10\0\0\0\0\0\0\0" + b"\xff" * 16, b"\x03", b"\0" * 8],
    ids=["silent", "web", "huge", "frames", "cut", "nothing"],
)
@pytest.mark.parametrize("then", ["close", "stay"])
def test_a_hostile_server_is_one_sentence_soon(answer, then, make_jobs, tmp_path, monkeypatch):
    import socket
    import threading

    monkeypatch.setattr(cluster, "_CONNECT_S", 0.4)
    held = []

    def serve(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            try:
                connection.sendall(answer)
            except OSError:
                continue
            if then == "close":
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(EegSleepError, match="does not answer"):
            run_batch(make_jobs("a", "b"), tmp_path / "out", resources=Resources(scheduler=address))
    for connection in held:
        connection.close()


def test_without_dask_a_scheduler_is_refused_before_the_work_and_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(resources, "find_spec", lambda _: None)
    check_resources(Resources(workers=1))
    with pytest.raises(SettingsError, match=r'pip install "eegsleep\[cluster\]"'):
        check_resources(Resources(scheduler="tcp://127.0.0.1:1"))
