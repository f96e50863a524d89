"""The sealed key, which says which masked code is the compound; study.toml holds only its hash."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from eegsleep.errors import SettingsError
from eegsleep.provenance import encode_json, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("compound", "control")


def seal_key(conditions: tuple[str, str], path: str | Path, *, active: str = "") -> str:
    """Draw which code is the compound, write the key file, and return the hash that binds it.

    The key holds 32 random bytes (the salt) beside the codes; without them, anyone could compute the hashes of the
    two possible keys and see which one it is.

    Parameters
    ----------
    conditions : tuple of str
        The two masked codes.
    path : path
        The key file. The person who prepares the capsules keeps it, away from the study.
    active : str, optional
        The code of the compound, if the capsules are coded already. By default it is drawn by the secure random
        generator of the operating system and not from the seed of the study, which is public.

    Returns
    -------
    str
        SHA-256 of codes and salt, to be written into study.toml before the first night.

    Raises
    ------
    SettingsError
        If the file is there already, or `active` is not one of the codes.
    """
    path = Path(path)
    if path.exists():
        raise SettingsError(
            f"the key file {path.name} is there already",
            remedy="a study has one key; move the file away to begin another",
        )
    active = active or secrets.choice(conditions)
    if active not in conditions:
        raise SettingsError("active is not a code of the study", found=active, allowed=" or ".join(conditions))
    codes = {code: ROLES[code != active] for code in conditions}
    salt = secrets.token_hex(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, encode_json({"codes": codes, "salt": salt}))
    return hash_key(codes, salt)


def hash_key(codes: Mapping[str, str], salt: str) -> str:
    """Return the SHA-256 that binds the key."""
    return hashlib.sha256((json.dumps(dict(codes), sort_keys=True) + salt).encode()).hexdigest()


def open_key(path: str | Path, conditions: tuple[str, str], expected_sha256: str) -> str:
    """Return the code of the compound.

    Parameters
    ----------
    path : path
        The key file.
    conditions : tuple of str
        The two masked codes.
    expected_sha256 : str
        The hash in study.toml or the lock.

    Returns
    -------
    str

    Raises
    ------
    SettingsError
        If the file is not a key of these codes, or does not have that hash.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_bytes())
        codes, salt = dict(content["codes"]), str(content["salt"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path.name} is not a sealed key", found=str(error)) from error
    if set(codes) != set(conditions) or set(codes.values()) != set(ROLES):
        raise SettingsError(
            f"{path.name} is not the key of this study", found=", ".join(codes), allowed=", ".join(conditions)
        )
    if hash_key(codes, salt) != expected_sha256:
        raise SettingsError(
            f"{path.name} is not the key that was sealed",
            found=hash_key(codes, salt),
            allowed=expected_sha256,
            remedy="ask for the file that was written with the plan",
        )
    return next(code for code, role in codes.items() if role == "compound")
