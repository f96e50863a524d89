"""YASA's classifiers: trees of LightGBM, read from YASA's own package and run by LightGBM's own library.

The files hold objects of LightGBM and scikit-learn, whose import takes longer than to stage a night. All that is
needed of them is the text of the trees, which LightGBM's C interface runs as its Python package would.
"""

from __future__ import annotations

import ctypes
import pickletools
import sys
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eegsleep.errors import EegSleepError

if TYPE_CHECKING:
    from collections.abc import Callable

# The stages by which YASA's classifiers were trained, in the order of their probabilities: that of the alphabet.
CLASSES = ("N1", "N2", "N3", "R", "W")
_FLOAT32 = 0  # LightGBM's code of the type of the features
_RAW = 1  # and of what is predicted: sums over trees, whose softmax are the probabilities
# Rounds of trees run at a time over all epochs: their trees stay in the processor's cache, which takes 40 % off.
_ROUNDS = 100
_LIBRARIES = {"win32": "lib_lightgbm.dll", "darwin": "lib_lightgbm.dylib"}


class Classifier(NamedTuple):
    """One of YASA's classifiers.

    Attributes
    ----------
    features : tuple of str
        The columns it takes, in order.
    predict : callable
        Takes features of shape (n_epochs, n_features) in single precision, and returns probabilities of shape
        (n_epochs, 5) in the order of `CLASSES`.
    """

    features: tuple[str, ...]
    predict: Callable[[np.ndarray], np.ndarray]


@cache
def load_classifier(name: str) -> Classifier:
    """Load a classifier of YASA.

    Parameters
    ----------
    name : str
        The signals it was trained with, such as `eeg+eog`.

    Returns
    -------
    Classifier

    Raises
    ------
    EegSleepError
        If YASA's package has none of that name, or LightGBM cannot be loaded.
    """
    text = read_trees(name)
    line = next(line for line in text[:100_000].splitlines() if line.startswith("feature_names="))
    library = _open_library()
    predict = _run_trees(library, text) if library else _run_trees_by_package(text)
    return Classifier(tuple(line.removeprefix("feature_names=").split()), predict)


def read_trees(name: str) -> str:
    """Return the trees of a classifier of YASA as LightGBM writes them.

    Parameters
    ----------
    name : str
        As for `load_classifier`.

    Returns
    -------
    str

    Raises
    ------
    EegSleepError
        If YASA's package has none of that name.

    Notes
    -----
    The file is a pickle, which could run code if it were loaded. Here its parts are only listed, up to the text.
    """
    paths = sorted(_find_package("yasa").glob(f"classifiers/clf_{name}_lgb_*.joblib"))
    if not paths:
        from importlib.metadata import version

        raise EegSleepError(f"this YASA has no classifier for {name}", found=version("yasa"), allowed="YASA 0.8")
    for _, value, _ in pickletools.genops(zlib.decompress(paths[-1].read_bytes())):
        if isinstance(value, str) and value.startswith("tree\n"):
            return value
    raise EegSleepError(f"{paths[-1].name} of this YASA holds no trees of LightGBM")


def _find_package(name: str) -> Path:
    """Return the folder of a package without importing it: `import yasa` brings matplotlib, and takes seconds."""
    package = find_spec(name)
    return Path(next(iter(package.submodule_search_locations or ("",)))) if package else Path()


def _open_library() -> ctypes.CDLL | None:
    """Return LightGBM's library where its wheel keeps it; None where it lies elsewhere or cannot be loaded."""
    file_name = _LIBRARIES.get(sys.platform, "lib_lightgbm.so")
    for path in sorted(_find_package("lightgbm").glob(f"*/{file_name}")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            return None
        library.LGBM_GetLastError.restype = ctypes.c_char_p
        return library
    return None


def _run_trees(library: ctypes.CDLL, text: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that predicts by LightGBM's C interface (`LGBM_BoosterPredictForMat`), in one thread."""
    handle, n_read = ctypes.c_void_p(), ctypes.c_int()

    def check(status: int) -> None:
        if status:
            raise EegSleepError("LightGBM cannot run YASA's classifier", found=library.LGBM_GetLastError().decode())

    check(library.LGBM_BoosterLoadModelFromString(text.encode(), ctypes.byref(n_read), ctypes.byref(handle)))

    def add_up(rows: np.ndarray, first_round: int) -> np.ndarray:
        out, n_out = np.empty((len(rows), len(CLASSES))), ctypes.c_int64()
        status = library.LGBM_BoosterPredictForMat(
            handle,
            rows.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(rows.shape[0]),
            ctypes.c_int32(rows.shape[1]),
            ctypes.c_int(1),  # row after row
            ctypes.c_int(_RAW),
            ctypes.c_int(first_round),
            ctypes.c_int(_ROUNDS),
            b"num_threads=1",
            ctypes.byref(n_out),
            out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        check(status)
        return out

    # The library keeps in the trees which rounds run: two threads at once would get sums over each other's rounds.
    one_at_a_time = Lock()

    def predict(features: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(features, dtype=np.float32)
        with one_at_a_time:
            raw = np.sum([add_up(rows, first) for first in range(0, n_read.value, _ROUNDS)], axis=0)
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    return predict


def _run_trees_by_package(text: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that predicts by LightGBM's Python package."""
    try:
        import lightgbm
    except OSError as error:  # a container may lack the system's library of threads
        raise EegSleepError(
            "LightGBM, which runs YASA's classifier, cannot be loaded",
            found=str(error),
            remedy="install what it misses; libgomp is in the package libgomp1 of Debian and Ubuntu, "
            "and libomp in that of Homebrew",
        ) from error

    booster = lightgbm.Booster(model_str=text)
    return lambda features: np.asarray(booster.predict(features, num_threads=1))
