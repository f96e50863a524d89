"""Files that somebody named or left in a folder: what is in their place may be a pipe, and reading it need not end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
