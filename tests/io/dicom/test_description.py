from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from napari_resmed.io.dicom import describe, find_series
from tests.io.dicom.making import change, make_series


def identify(data: Dataset) -> None:
    data.PatientName, data.PatientID, data.InstitutionName = "Doe^Jane", "NR-4711", "Clinic"
    data.PatientBirthDate, data.StudyDate, data.OperatorsName = "19700101", "20200202", "Roe^Rick"
    data.RepetitionTime, data.Manufacturer = "2000", "ACME"


class TestDescribe:
    def test_facts(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        for file in folder.iterdir():
            change(file, identify)
        (series,) = find_series(folder)
        facts = describe(series)
        assert facts["Description"] == "ramp"
        assert facts["Size"] == "6 × 5 × 4 (z, y, x)"
        assert facts["Repetition time"] == "2000 ms"
        assert facts["Manufacturer"] == "ACME"
        assert not {"Doe", "Jane", "Clinic", "Roe", "19700101", "20200202", "NR-4711"} & set(
            " ".join(facts.values()).replace("^", " ").split()
        )

    def test_identity_on_request(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        for file in folder.iterdir():
            change(file, identify)
        (series,) = find_series(folder)
        facts = describe(series, identity=True)
        assert facts["Patient's name"] == "Doe^Jane"
        assert facts["Study date"] == "20200202"

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        folder = make_series(tmp_path / "series")
        (series,) = find_series(folder)
        for file in folder.iterdir():
            file.unlink()
        assert describe(series)["Files"] == "6"
