"""The sealed key, which says which masked code is the compound; study.toml holds only its hash."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eegsleep.errors import SettingsError, describe_error
from eegsleep.json_files import find_misfit, parse_json, read_json
from eegsleep.plain_files import real_path
from eegsleep.provenance import check_writable, encode_json, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("compound", "control")
DOSE_ROLES = ("control", "low dose", "high dose")
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # 16 MiB and about 50 ms a try
_PADDED = 256
_KEY_KINDS = {"codes": dict[str, Literal["compound", "control", "low dose", "high dose"]], "salt": str}
_SEALED_KINDS = {"encrypted": str, "salt": str, "checksum": str}


def make_passphrase() -> str:
    """Return a passphrase of 64 random bits, in groups that can be read aloud."""
    text = secrets.token_hex(8)
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def is_near(path: str | Path, folder: Path) -> bool:
    """Return whether a file lies in the folder of the study or beside it, where its sleeper comes upon it."""
    home, place = real_path(folder), real_path(Path(path)).parent
    return place in {home, home.parent} or home in place.parents


def seal_key(conditions: tuple[str, ...], path: str | Path, *, active: str = "", passphrase: str = "") -> str:
    """Draw which code is the compound, write the key file, and return the hash that binds it.

    The key holds 32 random bytes (the salt) beside the codes; without them, anyone could compute the hashes of the
    two possible keys and see which one it is.

    Parameters
    ----------
    conditions : tuple of str
        The masked codes: two, or those of control and two doses.
    path : path
        The key file. The person who prepares the capsules keeps it, away from the study.
    active : str, optional
        The code of the compound, if the capsules are coded already. By default it is drawn by the secure random
        generator of the operating system and not from the seed of the study, which is public.
    passphrase : str
        Encrypts the file, so that it can lie beside the study and be read by nobody who lacks the passphrase.

    Returns
    -------
    str
        SHA-256 of codes and salt, to be written into study.toml before the first night.

    Raises
    ------
    SettingsError
        If the file is there already, or `active` is not one of the codes, or is given in a study of two doses.
    """
    path = Path(path)
    check_key_place(path)
    codes = _draw_roles(conditions, active)
    salt = secrets.token_hex(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, object] = {"codes": codes, "salt": salt}
    write_file(path, encode_json(_encrypt(content, passphrase) if passphrase else content))
    return hash_key(codes, salt)


def check_key_place(path: Path, *, replace: bool = False) -> None:
    """Check that a key can be written there; best called before the work.

    Parameters
    ----------
    path : Path
    replace : bool
        Whether a key that is there is to be replaced.

    Raises
    ------
    SettingsError
        If something is there already, or cannot be written.
    """
    if os.path.lexists(path) and not replace:
        raise SettingsError(
            f"the key file {path.name} is there already",
            remedy="a study has one key; move the file away to begin another",
        )
    check_writable(path.parent if os.path.lexists(path) else path, option="--key")


def check_active(conditions: tuple[str, ...], active: str) -> None:
    """Check that a code given as that of the compound can be sealed; an empty one is drawn.

    Parameters
    ----------
    conditions : tuple of str
        The masked codes.
    active : str

    Raises
    ------
    SettingsError
    """
    if active and len(conditions) > len(ROLES):
        raise SettingsError(
            "one code does not say which dose the others have",
            found=active,
            remedy="leave it out: the roles of three codes are drawn, and the capsules coded by the key",
        )
    if active and active not in conditions:
        raise SettingsError("active is not a code of the study", found=active, allowed=" or ".join(conditions))


def _draw_roles(conditions: tuple[str, ...], active: str) -> dict[str, str]:
    """Return the role of each code, drawn by the operating system where `active` does not name the compound."""
    check_active(conditions, active)
    if len(conditions) > len(ROLES):
        roles = list(DOSE_ROLES)
        secrets.SystemRandom().shuffle(roles)
        return dict(zip(conditions, roles, strict=True))
    active = active or secrets.choice(conditions)
    return {code: ROLES[code != active] for code in conditions}


def _encrypt(content: Mapping[str, object], passphrase: str) -> dict[str, object]:
    """Return the content encrypted: a pad as long as it, and the key of a checksum, both from scrypt (RFC 7914)."""
    plain = json.dumps(content, sort_keys=True).encode().ljust(_PADDED)  # one length, whichever code is the compound
    salt = secrets.token_bytes(16)
    pad = _stretch(passphrase, salt, len(plain))
    hidden = bytes(a ^ b for a, b in zip(plain, pad[32:], strict=True))
    mark = hmac.new(pad[:32], hidden, "sha256").hexdigest()
    return {"encrypted": hidden.hex(), "salt": salt.hex(), "checksum": mark, "scrypt": dict(_SCRYPT)}


def _decrypt(sealed: Mapping[str, str], passphrase: str, name: str) -> dict[str, Any]:
    if not passphrase:
        raise SettingsError(
            f"{name} is encrypted",
            found="no passphrase",
            remedy="ask whoever prepared the capsules for it, and give it with --passphrase",
        )
    hidden, salt = bytes.fromhex(sealed["encrypted"]), bytes.fromhex(sealed["salt"])
    pad = _stretch(passphrase, salt, len(hidden))
    if not hmac.compare_digest(hmac.new(pad[:32], hidden, "sha256").hexdigest(), str(sealed["checksum"])):
        raise SettingsError(
            f"the passphrase does not open {name}",
            remedy="type it as it was printed when the study was planned",
        )
    return parse_json(bytes(a ^ b for a, b in zip(hidden, pad[32:], strict=True)))


def _stretch(passphrase: str, salt: bytes, length: int) -> bytes:
    return hashlib.scrypt(passphrase.strip().lower().encode(), salt=salt, dklen=32 + length, **_SCRYPT)


def read_key(path: str | Path, passphrase: str = "") -> tuple[dict[str, str], str]:
    """Return the codes of a key with their roles, and its salt.

    Parameters
    ----------
    path : path
        The key file.
    passphrase : str
        If it is encrypted.

    Raises
    ------
    SettingsError
        If the file is no key, or the passphrase does not open it.
    """
    path = Path(path)
    try:
        content = read_json(path, "a sealed key", error=SettingsError)
        if "encrypted" in content:
            _check_kinds(content, _SEALED_KINDS)
            content = _decrypt(content, passphrase, path.name)
        _check_kinds(content, _KEY_KINDS)
    except ValueError as error:
        raise SettingsError(f"{path.name} is not a sealed key", found=describe_error(error)) from error
    return content["codes"], content["salt"]


def _check_kinds(content: Mapping[str, object], kinds: Mapping[str, object]) -> None:
    if problem := find_misfit(content, kinds, "the key"):
        raise ValueError(problem)


def hash_key(codes: Mapping[str, str], salt: str) -> str:
    """Return the SHA-256 that binds the key."""
    return hashlib.sha256((json.dumps(dict(codes), sort_keys=True) + salt).encode()).hexdigest()


def open_key(path: str | Path, conditions: tuple[str, ...], expected_sha256: str, passphrase: str = "") -> str:
    """Return the code of the compound, of the high dose where there are two; otherwise as `open_roles`."""
    roles = open_roles(path, conditions, expected_sha256, passphrase)
    return next(code for code, role in roles.items() if role in {ROLES[0], DOSE_ROLES[-1]})


def open_roles(
    path: str | Path, conditions: tuple[str, ...], expected_sha256: str, passphrase: str = ""
) -> dict[str, str]:
    """Return the role of each code: one of `ROLES`, or of `DOSE_ROLES` in a study of two doses.

    Parameters
    ----------
    path : path
        The key file.
    conditions : tuple of str
        The masked codes.
    expected_sha256 : str
        The hash in study.toml or the lock.
    passphrase : str
        If the file is encrypted.

    Returns
    -------
    dict of str to str

    Raises
    ------
    SettingsError
        If the file is not a key of these codes, or does not have that hash.
    """
    path = Path(path)
    codes, salt = read_key(path, passphrase)
    roles = ROLES if len(conditions) == len(ROLES) else DOSE_ROLES
    if set(codes) != set(conditions) or set(codes.values()) != set(roles):
        raise SettingsError(
            f"{path.name} is not the key of this study",
            found=", ".join(codes),
            allowed=", ".join(conditions),
            remedy="give the key that was written when this study was planned with --key",
        )
    if hash_key(codes, salt) != expected_sha256:
        raise SettingsError(
            f"{path.name} is not the key that was sealed",
            found=hash_key(codes, salt),
            allowed=expected_sha256,
            remedy="ask for the file that was written with the plan",
        )
    return codes
