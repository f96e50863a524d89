"""The processes and the memory that a batch may use."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from eegsleep.errors import SettingsError

# Peak memory of a long night, libraries included: ten hours of four channels at 512 Hz took 3.2 GB.
NIGHT_BYTES = 3_300_000_000
# The libraries alone take more than this.
_LEAST_BYTES = 100_000_000
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
# Where Linux keeps the memory limit of a container: control groups of version 2, then of version 1.
_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Resources(NamedTuple):
    """Workers and memory that a run may use; None for all that this machine has.

    Attributes
    ----------
    workers : int, optional
        Processes on this machine; with 0, nights are scored in this process, one after the other.
    memory_limit : str, optional
        Memory of one worker, such as 2GB; one that goes over it is stopped.
    scheduler : str, optional
        Address or file of a Dask scheduler that runs already, used in place of this machine.
    tls_ca, tls_cert, tls_key : Path, optional
        PEM files that a scheduler protected by TLS asks for: the certificate of the authority that signed its
        certificate, and a certificate and its key for this command. All three or none.
    """

    workers: int | None = None
    memory_limit: str | None = None
    scheduler: str | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def check_resources(resources: Resources) -> None:
    """Refuse resources that cannot be used, before anything is started.

    Parameters
    ----------
    resources : Resources

    Raises
    ------
    SettingsError
        If one of them cannot be used, or Dask is missing where a scheduler is given.
    """
    if resources.scheduler and find_spec("distributed") is None:
        raise SettingsError(
            "a scheduler needs Dask",
            found="the package distributed is not installed",
            remedy='install it with: pip install "eegsleep[cluster]"',
        )
    if resources.workers is not None and resources.workers < 0:
        raise SettingsError("there is no such number of workers", found=str(resources.workers), allowed="0 and more")
    if resources.memory_limit is not None:
        parse_memory(resources.memory_limit)
    files = {
        "--tls-ca": resources.tls_ca,
        "--tls-cert": resources.tls_cert,
        "--tls-key": resources.tls_key,
    }
    given = [option for option, path in files.items() if path]
    if given and (len(given) < len(files) or not resources.scheduler):
        raise SettingsError(
            "the connection to a scheduler cannot be protected like this",
            found=f"{', '.join(given)} {'with' if resources.scheduler else 'without'} --scheduler",
            allowed=f"--scheduler with all of {', '.join(files)}",
        )
    for option, path in files.items():
        if path and not path.is_file():
            raise SettingsError(f"{option} is no file", found=str(path), allowed="a file in PEM format")


def parse_memory(limit: str) -> int:
    """Return an amount of memory in bytes.

    Parameters
    ----------
    limit : str
        Such as 2GB or 512 MiB.

    Returns
    -------
    int

    Raises
    ------
    SettingsError
        If it is not understood, or is less than the libraries need.
    """
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*(k|m|g|t|ki|mi|gi|ti|)b?\s*", limit, re.IGNORECASE | re.ASCII)
    n_bytes = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if n_bytes < _LEAST_BYTES:
        raise SettingsError(
            "the memory limit is not understood, or too little to begin with", found=limit, allowed="such as 2GB"
        )
    return n_bytes


def share_machine(resources: Resources, n_nights: int) -> tuple[int, int]:
    """Return how many workers this machine takes, and the memory of each in bytes.

    Parameters
    ----------
    resources : Resources
    n_nights : int
        No more workers are started than that.

    Returns
    -------
    n_workers, memory_bytes : int
    """
    from joblib import cpu_count

    machine_bytes = find_memory()
    n_workers = resources.workers
    memory_bytes = parse_memory(resources.memory_limit) if resources.memory_limit else 0
    if n_workers is None:
        n_workers = max(1, min(cpu_count(), machine_bytes // (memory_bytes or NIGHT_BYTES)))
    n_workers = min(n_workers, n_nights)
    return n_workers, memory_bytes or machine_bytes // n_workers


def find_memory() -> int:
    """Return the memory of this machine, or of the container that this process runs in, in bytes."""
    import psutil

    limits = [psutil.virtual_memory().total]
    for path in map(Path, _GROUP_LIMITS):
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # another system, or the word "max"
            continue
    return min(limit for limit in limits if limit > 0)
