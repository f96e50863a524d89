"""Channels side by side give what they give one after the other."""

import threading

import pytest

from eegsleep.signals.two_channels import measure_each


def test_results_come_in_the_order_of_the_tasks():
    first_waits = threading.Event()

    def measure(task):
        if task == 0:
            first_waits.wait(1)  # until a later task is done, where two run at a time
        else:
            first_waits.set()
        return 10 * task

    assert measure_each(measure, range(4)) == [0, 10, 20, 30]


def test_a_worker_of_a_batch_measures_one_after_the_other(monkeypatch):
    monkeypatch.setattr("multiprocessing.parent_process", object)
    assert set(measure_each(lambda _: threading.get_ident(), range(4))) == {threading.get_ident()}


def test_an_error_of_one_channel_is_raised():
    with pytest.raises(ZeroDivisionError):
        measure_each(lambda task: 1 / task, [1, 0])
