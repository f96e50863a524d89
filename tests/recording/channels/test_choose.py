"""Channels: each device is known by what it writes, and the right derivations are taken or the file is refused."""

import subprocess
import sys

import pytest

import eegsleep as es
from eegsleep.errors import SettingsError
from eegsleep.recording.channels.choose import MAX_DERIVATIONS, choose_derivations
from eegsleep.recording.channels.labels import guess_role, rank_derivations
from eegsleep.recording.channels.presets import detect_device, find_device, load_devices
from eegsleep.recording.source import SourceChannel

GENERIC = find_device("generic")


def channels(labels, rate_hz=256.0, unit="uV"):
    """Make channels of one rate and unit, or of their own where a label comes as (label, rate, unit)."""
    return [SourceChannel(*((one, rate_hz, unit) if isinstance(one, str) else one)) for one in labels]


def chosen(labels, device=GENERIC, **named):
    return [d.label for d in choose_derivations(channels(labels), device, **named)]


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("C4-M1", "eeg"),
        ("EEG Fpz-Cz", "eeg"),
        ("C4:A1", "eeg"),
        ("C3A2", "eeg"),
        ("F7-O1", "eeg"),
        ("EEG", "eeg"),
        ("EEG L", "eeg"),
        ("AF7", "eeg"),
        ("T3-O1", "eeg"),
        ("EEG3", "eeg"),
        ("EOG horizontal", "eog"),
        ("E1-M2", "eog"),
        ("LOC", "eog"),
        ("REOG", "eog"),
        ("EOG(L)", "eog"),
        ("EMG submental", "emg"),
        ("Chin1-Chin2", "emg"),
        ("EMG chin", "emg"),
        ("EMG leg", ""),
        ("EMG tib L", ""),
        ("ECG", ""),
        ("SpO2", ""),
        ("Status", ""),
        ("Resp oro-nasal", ""),
        ("Temp rectal", ""),
        ("Event marker", ""),
        ("Pulse", ""),
        ("Accelero Norm", ""),
        ("C4-M1 (Imp)", ""),
        ("C4 Impédance", ""),
        ("E1 Impédance", ""),
        ("EEG1_Off", ""),
        ("EOG-L_Off", ""),
        ("=1+1", ""),
        ("../../x", ""),
        ("=C4-M1", ""),
        ("", ""),
        ("C4-M1; rm -rf /", ""),
        ("EDF Annotations", ""),
    ],
)
def test_label_gives_role(label, role):
    assert guess_role(label) == role


def test_central_mastoid_derivation_is_trusted_first():
    labels = ["O2-M1", "F4-M1", "Fpz-Cz", "C4-M1"]
    assert rank_derivations(labels) == ["C4-M1", "Fpz-Cz", "F4-M1", "O2-M1"]


def test_a_derivation_that_names_its_mastoid_beats_the_electrode_alone():
    assert rank_derivations(["C4", "F4-M1", "C4-M2", "C4-M1"]) == ["C4-M1", "C4-M2", "F4-M1", "C4"]


SLEEP_EDF = [
    ("EEG Fpz-Cz", 100, "uV"),
    ("EEG Pz-Oz", 100, "uV"),
    ("EOG horizontal", 100, "uV"),
    ("Resp oro-nasal", 1, ""),
    ("EMG submental", 1, "uV"),
    ("Temp rectal", 1, "DegC"),
    ("Event marker", 1, ""),
]
SHHS = [
    ("SaO2", 1, ""),
    ("H.R.", 1, ""),
    ("EEG(sec)", 125, "uV"),
    ("ECG", 125, "mV"),
    ("EMG", 125, "uV"),
    ("EOG(L)", 50, "uV"),
    ("EOG(R)", 50, "uV"),
    ("EEG", 125, "uV"),
    ("THOR RES", 10, ""),
    ("POSITION", 1, ""),
]
CFS = [
    *((label, 128, "mV") for label in ("C3", "C4", "A1", "A2", "LOC", "ROC", "EMG1", "EMG2", "EMG3")),
    ("ECG1", 256, "mV"),
    ("ECG2", 256, "mV"),
    ("L Leg", 128, "mV"),
    ("AIRFLOW", 32, ""),
]
MESA = [
    *((label, 256, "uV") for label in ("EKG", "EOG-L", "EOG-R", "EMG", "EEG1", "EEG2", "EEG3")),
    ("EEG1_Off", 1, ""),
    ("EOG-L_Off", 1, ""),
]
NOX = [
    ("EDF Annotations", 1, ""),
    *(
        (label, 200, "V")
        for label in (
            "1",
            "1-2",
            "1-F",
            "2",
            "2-F",
            "C3",
            "C3-M2",
            "C4",
            "C4-M1",
            "E1",
            "E1-M2",
            "E2",
            "E2-M1",
            "ECG",
            "F",
            "F3",
            "F3-M2",
            "F4",
            "F4-M1",
            "M1",
            "M1M2",
            "M2",
            "O1",
            "O1-M2",
            "O2",
            "O2-M1",
            "Right Leg",
            "Left Leg",
        )
    ),
    *((label, 1, "Ohm") for label in ("1 Impédance", "1-2 (Imp)", "C3-M2 (Imp)", "C4 Impédance", "E1 Impédance")),
    ("Airflow", 200, "cmH2O"),
    ("Activity", 20, "g/s"),
    ("Voltage (battery", 100, "V"),
    ("K", 25, ""),
]
OPENBCI_TEXT = [*(f"EXG Channel {i}" for i in range(8)), ("Accel Channel 0", 25, "g")]
OPENBCI_BDF = [*(f"EEG {i}" for i in range(1, 9)), *((f"Accel {axis}", 250, "g") for axis in "XYZ")]
BIOSEMI_TEXT = "X X X X X X X X X AgAgCl electrode AgAgCl electrode MEMS"
MIND_MONITOR = ["RAW_TP9", "RAW_AF7", "RAW_AF8", "RAW_TP10"]
CAP_REST = ["Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "ROC-LOC", "EMG1-EMG2", "ECG1-ECG2", "SAO2"]
HMC = ["EEG F4-M1", "EEG C4-M1", "EEG O2-M1", "EEG C3-M2", "EMG chin", "EOG E1-M2", "EOG E2-M2", "ECG"]
DREEM = ["Accelero Norm", "EEG F8-F7", "EEG F8-O2", "EEG F7-O1", "EEG F8-O1", "EEG F7-O2", "Positiongram"]


@pytest.mark.parametrize(
    ("labels", "kind", "identity", "device", "expected"),
    [
        (["EEG R", "EEG L", ("BODY TEMP", 256, "C")], "ZMax folder", "", "zmax", ["EEG L", "EEG R"]),
        (["EEG L", "EEG L Cleaned", "EEG R"], "ZMax folder", "", "zmax", ["EEG L Cleaned", "EEG R"]),
        (["EEG L", "EEG R", "LIGHT"], "mne: RawEDF", "", "zmax", ["EEG L", "EEG R"]),
        (DREEM, "EDF+C", "", "dreem", ["EEG F7-O1", "EEG F8-O2"]),
        (["TP9", "AF7", "AF8", "TP10", "Right AUX"], "muselsl CSV", "", "muse", ["TP9-AF8", "TP10-AF7"]),
        (["AF7", "AF8"], "muselsl CSV", "", "muse", ["AF7", "AF8"]),
        (MIND_MONITOR, "Mind Monitor CSV", "", "muse", ["RAW_TP9-RAW_AF8", "RAW_TP10-RAW_AF7"]),
        (["T3", "T4", "O1", "O2"], "EDF", "", "brainbit", ["T3-O1", "T4-O2"]),
        (["LEOG", "REOG", "E3"], "EDF", "", "sleep-profiler", ["E3", "LEOG"]),
        (["HB_1", "HB_2", "HB_IMU_1", "HB_PULSE"], "EDF", "", "bitbrain", ["HB_1", "HB_2"]),
        (
            ["PSG_C3", "PSG_C4", "PSG_EOG", "PSG_EMG"],
            "EDF",
            "",
            "bitbrain-psg",
            ["PSG_C4", "PSG_C3", "PSG_EOG", "PSG_EMG"],
        ),
        (
            ["C3:A2", "C4:A1", "EOG1:A2", "EMG chin"],
            "EDF+C",
            "",
            "somnomedics",
            ["C4:A1", "C3:A2", "EOG1:A2", "EMG chin"],
        ),
        (["C4-A1", "C3-A2"], "EDF+C", "X X SOMNOscreen_plus", "somnomedics", ["C4-A1", "C3-A2"]),
        (
            NOX,
            "EDF+C",
            "X X X X Startdate 06-FEB-2018 X X NoxMedical.A1Device:9",
            "nox",
            ["C4-M1", "C3-M2", "E1-M2", "1-2"],
        ),
        (NOX, "EDF+C", "", "nox", ["C4-M1", "C3-M2", "E1-M2", "1-2"]),
        (SHHS, "EDF", "", "compumedics", ["EEG", "EEG(sec)", "EMG"]),
        (MESA, "EDF", "", "compumedics", ["EEG3", "EEG2", "EOG-L", "EMG"]),
        (CFS, "EDF", "", "compumedics", ["C4-A1", "C3-A2", "LOC-A2", "EMG1-EMG2"]),
        (["C4-A1", *CAP_REST], "EDF", "", "embla-cap", ["C4-A1", "ROC-LOC", "EMG1-EMG2"]),
        (["C4A1", *CAP_REST], "EDF", "", "embla-cap", ["C4A1", "ROC-LOC", "EMG1-EMG2"]),
        (["C4:A1", *CAP_REST], "EDF", "", "embla-cap", ["C4:A1", "ROC-LOC", "EMG1-EMG2"]),
        (SLEEP_EDF, "EDF", "", "sleep-edf", ["EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal"]),
        (HMC, "EDF", "", "hmc", ["EEG C4-M1", "EEG C3-M2", "EOG E1-M2", "EMG chin"]),
        (OPENBCI_BDF, "BDF", BIOSEMI_TEXT, "openbci-bdf", ["EEG 1", "EEG 2"]),
        (
            ["F3-M2", "C4-M1", "E1-M2", "EMG chin"],
            "EDF+C",
            "X simulated HP:0.2Hz",
            "simulated",
            ["C4-M1", "F3-M2", "E1-M2", "EMG chin"],
        ),
        (["O2-M1", "C4", "C4-M1", "C3-M2", "E2-M1"], "EDF", "", "generic", ["C4-M1", "C3-M2", "E2-M1"]),
    ],
)
def test_device_is_recognised_and_gives_its_derivations_in_order(labels, kind, identity, device, expected):
    source = channels(labels)
    found = detect_device([channel.label for channel in source], kind, identity)
    assert found.name == device
    assert [derivation.label for derivation in choose_derivations(source, found)] == expected


def test_openbci_text_says_nothing_of_electrodes_so_the_first_inputs_are_taken():
    source = channels(OPENBCI_TEXT)
    device = detect_device([channel.label for channel in source], "OpenBCI text", "")
    assert device.name == "openbci-text"
    assert [d.label for d in choose_derivations(source, device)] == ["EXG Channel 0", "EXG Channel 1"]
    assert any("not electrodes" in fault for fault in device.faults)


@pytest.mark.parametrize("extra", ["C4", "Cz", "EEG Fpz-Cz"])
def test_full_montage_is_not_taken_for_a_head_band(extra):
    assert detect_device(["T3", "T4", "O1", "O2", extra], "EDF", "").name == "generic"
    assert detect_device(["TP9", "AF7", "AF8", "TP10", extra], "EDF", "").name == "generic"


def test_maker_named_in_the_header_beats_labels_that_others_share():
    assert detect_device(["C4:A1", "ROC-LOC"], "EDF", "X X SOMNOmedics").name == "somnomedics"


def test_a_name_that_merely_holds_a_maker_is_no_recorder():
    assert detect_device(["C4-M1"], "EDF", "X M 01-JAN-1980 XNoxMedical").name == "generic"


@pytest.mark.parametrize("device", load_devices().values(), ids=lambda device: device.name)
def test_every_preset_is_complete(device):
    """A preset says what it is, what is known of staging on it and from where, and what to take."""
    assert device.title
    assert device.validation.endswith(".")
    assert device.filter
    assert device.source
    assert device.name == "generic" or device.recognised
    by_rule = {"generic", "simulated", "openbci-bdf"}
    assert device.eeg or device.name in by_rule
    hash(device)  # tuples all through: a preset cannot be changed by its user


def test_only_the_openbci_bdf_writer_has_a_twelve_hour_clock():
    assert [name for name, device in load_devices().items() if device.twelve_hour_clock] == ["openbci-bdf"]


def test_unknown_device_lists_those_there_are():
    with pytest.raises(SettingsError, match=r"'zmaxx'.*zmax, dreem, muse"):
        find_device("zmaxx")
    assert find_device("Sleep_EDF").name == "sleep-edf"


def test_presets_given_out_cannot_be_spoilt():
    load_devices().clear()
    assert "generic" in load_devices()


def test_user_s_word_wins_over_device_rule_and_number():
    labels = ["C4-M1", "C3-M2", "O2-M1", "F4-M1", "E1-M2", "EMG chin", "Fz"]
    named = ["O2-M1", "Fz", "C4-M1", "O2-M1"]
    assert len(set(named)) > MAX_DERIVATIONS
    assert chosen(labels, eeg=named, eog="F4-M1") == ["O2-M1", "Fz", "C4-M1", "F4-M1", "EMG chin"]
    assert chosen(NOX, find_device("nox"), eeg=["O1-M2"]) == ["O1-M2", "E1-M2", "1-2"]


def test_channel_named_as_eog_is_not_guessed_as_eeg_too():
    assert chosen(["EEG L", "EEG R"], find_device("zmax"), eog="EEG R") == ["EEG L", "EEG R"]


def test_one_channel_cannot_have_two_roles():
    with pytest.raises(es.RecordingError, match="both eeg and eog"):
        chosen(["C4-M1", "Fz"], eeg=["C4-M1"], eog="C4-M1")


@pytest.mark.parametrize("name", ["C4-A1", "C4:A1", "c4 - a1"])
def test_named_derivation_is_made_by_subtraction(name):
    (derivation,) = choose_derivations(channels(["C4", "A1", "C3"]), GENERIC, eeg=[name])
    assert (derivation.plus, derivation.minus, derivation.role) == ("C4", "A1", "eeg")
    assert derivation.label.replace(" ", "").upper() == "C4-A1"


def test_recorded_derivation_is_not_made_again():
    (derivation, *_) = choose_derivations(channels(["C4", "A1", "C4-A1"]), GENERIC, eeg=["C4:A1"])
    assert (derivation.label, derivation.plus, derivation.minus) == ("C4-A1", "C4-A1", "")


def test_electrodes_of_one_reference_are_re_referenced_without_being_told():
    assert chosen(["EEG C3-REF", "EEG C4-REF", "EEG A1-REF", "EEG A2-REF"]) == ["C4-A1", "C3-A2"]


def test_eye_channel_can_be_made_by_subtraction():
    assert chosen(["C4-M1", "LOC", "A2"], eog="LOC-A2") == ["C4-M1", "LOC-A2"]


@pytest.mark.parametrize(("rate_hz", "unit"), [(128, "uV"), (256, "ADC")])
def test_subtraction_wants_one_rate_and_one_unit(rate_hz, unit):
    labels = ["C4", ("A1", rate_hz, unit)]
    with pytest.raises(es.RecordingError, match=rf"C4 at 256 Hz in uV, A1 at {rate_hz} Hz in {unit}"):
        chosen(labels, eeg=["C4-A1"])
    assert chosen(labels) == ["C4"]


def test_label_is_matched_exactly_then_in_other_spellings():
    assert chosen(["c4-m1", "C4-M1"], eeg=["C4-M1"]) == ["C4-M1"]
    assert chosen(["EEG C4-M1", "Fz"], eeg=["c4 -m1"]) == ["EEG C4-M1"]
    with pytest.raises(es.RecordingError, match="several channels of that name: c4-m1, C4-M1"):
        chosen(["c4-m1", "C4-M1"], eeg=["C4-m1"])


def test_one_electrode_is_not_chosen_twice():
    assert chosen(["C4-M1", "C4", "M1", "C4-M2", "F4-M1"]) == ["C4-M1", "F4-M1"]
    assert chosen(["C4-M1", "C4"]) == ["C4-M1"]


def test_two_channels_of_one_name_are_told_apart_by_the_user():
    labels = ["EEG [1]", "EEG [2]", "EOG"]
    with pytest.raises(es.RecordingError, match=r"several channels of that name: EEG \[1\], EEG \[2\]"):
        chosen(labels, eeg=["EEG"])
    assert chosen(labels, eeg=["EEG [2]"]) == ["EEG [2]", "EOG"]


@pytest.mark.parametrize("name", ["EEG", "C4-M1"])
def test_guesses_pass_over_shared_names_and_refuse_if_there_is_nothing_else(name):
    labels = [f"{name} [1]", f"{name} [2]"]
    assert chosen([*labels, "F4-M1"]) == ["F4-M1"]
    with pytest.raises(es.RecordingError, match=rf'several channels of that name: {name} \[1\].*--eeg "{name} \[1\]"'):
        chosen(labels)


def test_unknown_label_lists_those_that_can_be_used():
    with pytest.raises(
        es.RecordingError, match=r"'C9' cannot be used\. Found: no such channel\. Allowed: C4-M1, Fz\. Name"
    ):
        chosen(["C4-M1", "Fz", ("Temp", 1, "C")], eeg=["C9"])


@pytest.mark.parametrize("named", [{"emg": "EMG submental"}, {"eeg": ["Temp rectal"]}])
def test_slow_channel_is_refused_even_if_named(named):
    with pytest.raises(es.RecordingError, match="a rate of 1 Hz, where more than 80 Hz"):
        chosen(SLEEP_EDF, find_device("sleep-edf"), **named)


@pytest.mark.parametrize("labels", [[], ["ECG", "SpO2"], [("C4-M1", 80, "uV")], [("C4-M1", 256, "Ohm")]])
def test_file_without_eeg_is_refused_with_the_way_out(labels):
    with pytest.raises(es.RecordingError, match=r"no EEG derivation was recognised.*more than 80 Hz.*--eeg LABEL"):
        chosen(labels)


@pytest.mark.parametrize("unit", ["Ohm", "kOhm", "Ω", "%", "bpm", "g", "lx", "cmH2O", "°C", "Hz", "V/s"])
def test_what_is_no_voltage_is_never_guessed(unit):
    assert chosen([("C4-M1", 256, unit), "Fz"]) == ["Fz"]


@pytest.mark.parametrize("unit", ["uV", "µV", "μV", "mV", "V", "nV", "", "ADC", "microV", "uVolts"])
def test_what_may_be_a_voltage_is_guessed(unit):
    """A unit that is blank or odd is asked of the user when the channel is read, not passed over."""
    assert chosen([("C4-M1", 256, unit), "Fz"])[0] == "C4-M1"


@pytest.mark.parametrize("label", ["=1+1", "../../x", "-", ":", "*", "[", "(", "C4-M1\x1b[31m"])
def test_hostile_label_is_never_an_eeg(label):
    assert chosen([label, "Fz"]) == ["Fz"]
    assert detect_device([label], "EDF", label).name == "generic"
    with pytest.raises(es.RecordingError):
        chosen([label])


def test_presets_are_read_without_numpy_or_mne():
    code = (
        "import sys; from eegsleep.recording.channels.presets import find_device; find_device('zmax'); "
        "sys.exit(bool({'numpy', 'mne'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
