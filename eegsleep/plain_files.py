"""Files that somebody named or left in a folder: what is in their place may be a pipe, and reading it need not end."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def check_plain(path: Path) -> Path:
    """Return a path that can be opened: a file, or none.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If a folder, a pipe or a device is there.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return path


def real_path(path: Path) -> Path:
    """Return where a path leads once its links are followed; `Path.resolve` fails on a link to itself."""
    return Path(os.path.realpath(path))
