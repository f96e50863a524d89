"""What is expected of a class of compounds, shown beside the result."""

from eegsleep.study.declared.expectations import expectations


def test_expectations_name_their_source():
    for compound, entry in expectations().items():
        assert entry["source"], compound
        assert set(entry) <= {"A", "B", "C", "D", "source"}
