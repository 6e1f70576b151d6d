from __future__ import annotations

from pathlib import Path

from napari_resmed.io.dicom import find_series
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.viewer.train.patients import patients_of
from tests.io.dicom.making import change, make_series


def origin(folder: Path, study: str, patient: str) -> Origin:
    make_series(folder, (3, 4, 5))
    for file in folder.iterdir():
        change(file, lambda data: data.update({"StudyInstanceUID": study, "PatientID": patient}))
    (series,) = find_series(folder)
    return Origin(series)


def test_one_study_or_one_patient_is_one_patient(tmp_path: Path) -> None:
    images = [
        origin(tmp_path / "a", "1.2.1", "NR-4711"),
        origin(tmp_path / "b", "1.2.2", "nr-4711 "),
        origin(tmp_path / "c", "1.2.2", ""),  # of the second one's study
        origin(tmp_path / "d", "1.2.3", "ANONYMOUS"),
        origin(tmp_path / "e", "1.2.4", "ANONYMOUS"),
        None,
        Origin(path=Path("scan.nii.gz")),
        Origin(path=Path("scan.nii.gz")),
    ]
    said = patients_of(images)
    assert said == ["patient 1", "patient 1", "patient 1", "", "", "", "patient 2", "patient 2"]


def test_nothing_is_known_of_none() -> None:
    assert patients_of([]) == []
    assert patients_of([None, None]) == ["", ""]
