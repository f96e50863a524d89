"""What the package knows of the sets without a network: as the sets describe themselves, and as MNE has them."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from eegsleep.datasets.physionet import FETCHERS
from eegsleep.datasets.registry import DATASETS, check_name, find_dataset, read_registry, read_sums, select_records
from eegsleep.errors import SettingsError, TableError

PACKAGED = [name for name in DATASETS if name != "cinc2018"]


def mne_table(name):
    """Return a table of MNE's own registry."""
    import mne

    path = Path(mne.__file__).parent / "datasets" / "sleep_physionet" / f"{name}_records.csv"
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("name", PACKAGED)
def test_every_record_has_one_recording_and_one_scoring(name):
    files = read_registry(name)
    kinds = {}
    for file in files:
        kinds.setdefault(file.record, []).append(file.kind)
    expected = ["hypnogram", "psg", "signals"] if name == "slpdb" else ["hypnogram", "psg"]
    assert {tuple(sorted(found)) for found in kinds.values()} == {tuple(expected)}
    assert len(kinds) == find_dataset(name).n_records
    assert len({file.name for file in files}) == len(files)
    for file in files:
        check_name(file.name)
    assert set(find_dataset(name).starter) <= set(kinds)


def test_sleep_edf_has_the_nights_it_is_known_for():
    nights = [file for file in read_registry("sleep-edf-sc") if file.kind == "psg"]
    subjects = {int(file.subject.removeprefix("SC4")) for file in nights}
    assert subjects == set(range(83)) - {39, 68, 69, 78, 79}
    lone = {s for s, n in Counter(file.subject for file in nights).items() if n == 1}
    assert {(file.subject, file.night) for file in nights if file.subject in lone} == {
        ("SC413", 1),
        ("SC436", 2),
        ("SC452", 2),
    }
    assert all(re.fullmatch(r"\d\d:\d\d", file.lights_off) and 25 <= int(file.age) <= 101 for file in nights)


def test_every_sleeper_of_the_telemetry_study_has_both_conditions():
    """MNE's fetcher brings the placebo nights only; a comparison needs both, and which came first."""
    nights = [file for file in read_registry("sleep-edf-st") if file.kind == "psg"]
    by_subject = {}
    for file in nights:
        by_subject.setdefault(file.subject, {})[file.night] = file.condition
    assert len(by_subject) == 22
    orders = Counter((taken[1], taken[2]) for taken in by_subject.values())
    assert orders == {("placebo", "temazepam"): 12, ("temazepam", "placebo"): 10}


def test_sleep_edf_agrees_with_mne():
    cassette = {row["fname"]: row for row in mne_table("age")}
    ours = {file.name: file for file in read_registry("sleep-edf-sc")}
    assert {name: row["sha"] for name, row in cassette.items()} == {name: file.digest for name, file in ours.items()}
    for name, row in cassette.items():
        file = ours[name]
        assert (f"SC4{int(row['subject']):02d}", row["night"]) == (file.subject, str(file.night))
        assert (row["age"], row["sex"], row["lights off"][:5]) == (file.age, file.sex, file.lights_off)
    telemetry = {file.name: file for file in read_registry("sleep-edf-st")}
    for row in mne_table("temazepam"):
        for kind in ("PSG", "Hypnogram"):
            file = telemetry.pop(row[f"fname_{kind}"])
            assert (file.digest, file.algorithm) == (row[f"sha_{kind}"], "sha1")
            assert (file.condition, str(file.night)) == (row["drug"].lower(), row["night nr"])
            assert (file.age, file.sex, file.lights_off) == (row["age"], row["sex"], row["lights off"][:5])
    assert not telemetry


def test_the_groups_of_cap_are_counted_as_the_set_counts_them():
    groups = Counter(file.condition for file in read_registry("cap") if file.kind == "psg")
    assert sorted(groups.values()) == [2, 4, 5, 9, 10, 16, 22, 40]
    assert groups["no pathology"] == 16


@pytest.mark.parametrize(
    ("dataset", "asked", "expected"),
    [
        ("sleep-edf-sc", ["SC4001"], {"SC4001E0"}),
        ("sleep-edf-sc", ["sc400"], {"SC4001E0", "SC4002E0"}),
        ("sleep-edf-sc", ["SC4001E0", "SC4131"], {"SC4001E0", "SC4131E0"}),
        ("sleep-edf-st", ["ST70[12]*"], {"ST7011J0", "ST7012J0", "ST7021J0", "ST7022J0"}),
        ("cap", ["n1"], {"n1"}),
        ("cap", ["brux*"], {"brux1", "brux2"}),
        ("slpdb", ["slp01"], {"slp01a", "slp01b"}),
    ],
)
def test_records_are_meant_by_name_subject_or_pattern(dataset, asked, expected):
    assert {file.record for file in select_records(read_registry(dataset), asked, dataset)} == expected


def test_all_means_all_and_a_slip_is_told_with_what_is_near():
    files = read_registry("cap")
    assert select_records(files, ["all"], "cap") == files
    with pytest.raises(SettingsError, match=r"cap has no record 'n17'\. Allowed: .*n1.*or all\. See the records"):
        select_records(files, ["n17"], "cap")
    with pytest.raises(SettingsError, match=r"no data set 'sleep-edf'\. Allowed: sleep-edf-sc"):
        find_dataset("sleep-edf")


def test_a_set_whose_names_are_not_packaged_is_known_from_its_list():
    """Of CinC 2018 the labelled half is taken; the test half has no stages, the .mat of arousals is another file."""
    digest = "0" * 64
    names = [
        "training/tr03-0005/tr03-0005.hea",
        "training/tr03-0005/tr03-0005.mat",
        "RECORDS",
        "training/tr03-0005/tr03-0005.arousal",
        "training/tr03-0005/tr03-0005-arousal.mat",
        "training/tr03-0005/tr04-0001.mat",
        "test/te03-0001/te03-0001.mat",
        "age-sex.csv",
    ]
    files = read_sums(DATASETS["cinc2018"], "".join(f"{digest} {name}\n" for name in names))
    assert [(file.name, file.kind, file.record) for file in files] == [
        ("tr03-0005/tr03-0005.hea", "psg", "tr03-0005"),
        ("tr03-0005/tr03-0005.arousal", "hypnogram", "tr03-0005"),
        ("tr03-0005/tr03-0005.mat", "signals", "tr03-0005"),
    ]


def test_a_list_may_be_written_by_physionet_or_by_sha256sum():
    for form in ("{} n1.edf", "{}  n1.edf", "{} *n1.edf", "{}  ./n1.edf"):
        (file,) = read_sums(DATASETS["cap"], form.format("AB" * 32))
        assert (file.name, file.digest, file.condition) == ("n1.edf", "ab" * 32, "no pathology")
    sleep_edf = "".join(
        f"{'0' * 64} sleep-telemetry/{name}\n"
        for name in ("ST7011JP-Hypnogram.edf", "ST7012J0-PSG.edf", "ST7011J0-PSG.edf", "ST9999J0-PSG.edf")
    )
    files = read_sums(DATASETS["sleep-edf-st"], sleep_edf)
    assert [file.name[:9] + file.algorithm for file in files] == [
        "ST7011J0-sha256",
        "ST7011JP-sha256",
        "ST7012J0-sha256",
    ]
    (file,) = read_sums(DATASETS["cap"], f"{'0' * 64} n1.edf\n{'1' * 64} ./n1.edf\n")
    assert file.digest == "1" * 64, "listed twice, fetched once"
    with pytest.raises(TableError, match="none of its recordings"):
        read_sums(DATASETS["cap"], f"{'0' * 64} RECORDS\n")


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_has_a_card(name):
    card = FETCHERS[name].__doc__
    for part in (
        "Layout:",
        "Channels:",
        "Labels:",
        "Known faults:",
        "Checksums:",
        "Licence:",
        "Cite:",
        "doi:10.13026/",
    ):
        assert part in card
    assert str(find_dataset(name).n_records) in card
