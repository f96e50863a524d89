"""YASA's trees are found in its files and give the same probabilities as its own classifiers."""

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from eegsleep.errors import EegSleepError
from eegsleep.staging import classifier
from eegsleep.staging.classifier import CLASSES, _find_package, _open_library, _run_trees, load_classifier, read_trees


def by_yasa(name):
    import joblib

    (path,) = _find_package("yasa").glob(f"classifiers/clf_{name}_lgb_*.joblib")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator")
        return joblib.load(path)


@pytest.mark.parametrize("name", ["eeg", "eeg+eog+emg"])
def test_probabilities_are_those_of_yasas_own_classifier(name):
    theirs, ours = by_yasa(name), load_classifier(name)
    features = np.random.default_rng(3).normal(size=(20, len(ours.features))).astype(np.float32)
    features[4] = np.nan
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        expected = theirs.predict_proba(features)
    assert (tuple(theirs.classes_), tuple(theirs.feature_name_)) == (CLASSES, ours.features)
    np.testing.assert_allclose(ours.predict(features), expected, atol=1e-13)


def test_two_threads_at_once_get_what_each_gets_alone():
    predict, n_features = load_classifier("eeg").predict, len(load_classifier("eeg").features)
    nights = [np.random.default_rng(seed).normal(size=(200, n_features)).astype(np.float32) for seed in range(8)]
    alone = [predict(night) for night in nights]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            for found, expected in zip(threads.map(predict, nights), alone, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_without_the_library_of_the_wheel_the_package_runs_the_trees(monkeypatch):
    features = np.random.default_rng(3).normal(size=(20, len(load_classifier("eeg").features))).astype(np.float32)
    usual = load_classifier("eeg").predict(features)
    monkeypatch.setattr(classifier, "_open_library", lambda: None)
    np.testing.assert_allclose(load_classifier.__wrapped__("eeg").predict(features), usual, atol=1e-13)


def test_a_library_of_the_system_that_is_not_there_is_named(monkeypatch, tmp_path):
    """As in a container without the library of threads."""
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
    monkeypatch.setattr(classifier, "_open_library", lambda: None)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    with pytest.raises(EegSleepError, match=r"libgomp\.so\.1: cannot open.*package libgomp1 of Debian"):
        load_classifier.__wrapped__("eeg")


def test_an_error_of_the_library_is_told():
    library = _open_library()
    assert library is not None
    with pytest.raises(EegSleepError, match="cannot run YASA's classifier"):
        _run_trees(library, "no trees")


def test_a_classifier_that_yasa_does_not_have_is_refused():
    with pytest.raises(EegSleepError, match=r"no classifier for eeg\+ecg"):
        read_trees("eeg+ecg")
