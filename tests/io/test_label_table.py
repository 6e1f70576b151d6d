from __future__ import annotations

import nibabel as nib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.io import label_table
from napari_resmed.labels import Label, LabelSet

_NAMES = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))).map(str.strip).filter(bool)
_PARTS = st.integers(0, 255)
_LABELS = st.builds(Label, st.integers(1, 2**31 - 1), _NAMES, st.tuples(_PARTS, _PARTS, _PARTS))


def extension(text: str | bytes, code: int = 0) -> nib.nifti1.Nifti1Extension:
    return nib.nifti1.Nifti1Extension(code, text.encode() if isinstance(text, str) else text)


class TestRoundTrip:
    @given(st.lists(_LABELS, min_size=1, max_size=8, unique_by=lambda label: label.value))
    def test_names_and_colours(self, labels: list[Label]) -> None:
        known = LabelSet(tuple(labels))
        assert LabelSet(label_table.read([label_table.extension(known)])) == known

    def test_characters_xml_cannot_hold_do_not_lose_the_table(self) -> None:
        known = LabelSet((Label(1, "a\x00b\x1f", (1, 2, 3)), Label(2, "spleen", (4, 5, 6))))
        back = LabelSet(label_table.read([label_table.extension(known)]))
        assert back[2].name == "spleen"
        assert back[1].name.startswith("a")


class TestRead:
    TABLE = (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension> <Date><![CDATA[2013-07-14T05:45:09]]></Date>'
        '<VolumeInformation Index="0"><LabelTable>'
        '<Label Key="0" Red="0" Green="0" Blue="0" Alpha="0"><![CDATA[???]]></Label>'
        '<Label Key="1" Red="0.2" Green="1" Blue="0" Alpha="1"><![CDATA[spleen]]></Label>'
        '<Label Key="2" Red="2" Green="-1" Blue="0.5" Alpha="1"> kidney right </Label>'
        '<Label Key="2" Red="0" Green="0" Blue="0" Alpha="1">again</Label>'
        '<Label Key="7" Red="0" Green="0" Blue="0" Alpha="1"/>'
        "</LabelTable></VolumeInformation></CaretExtension>"
    )

    @pytest.mark.parametrize("code", [0, 6, 30])
    def test_what_others_write(self, code: int) -> None:
        labels = label_table.read([extension(self.TABLE + "\0\0\0", code)])
        assert labels == (
            Label(1, "spleen", (51, 255, 0)),
            Label(2, "kidney right", (255, 0, 128)),
            Label(7, "label 7", (0, 0, 0)),
        )

    def test_the_first_table_counts(self) -> None:
        other = extension("<CaretExtension><Label Key='9'>late</Label></CaretExtension>")
        assert label_table.read([extension("a comment", 6), extension(self.TABLE), other])[0].name == "spleen"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "just words",
            "<CaretExtension>",
            "<CaretExtension><Label Key='one'>x</Label></CaretExtension>",
            "<CaretExtension><Label Key='1' Red='dark'>x</Label></CaretExtension>",
            b"\xff\xfe<CaretExtension",
        ],
    )
    def test_what_cannot_be_read_is_passed_over(self, text: str | bytes) -> None:
        assert label_table.read([extension(text)]) == ()
        assert label_table.read([extension(text), extension(self.TABLE)])[0].name == "spleen"

    def test_entities_are_not_expanded(self) -> None:
        bomb = (
            '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>'
            "<CaretExtension><Label Key='1'>&b;</Label></CaretExtension>"
        )
        assert label_table.read([extension(bomb)]) == ()

    def test_no_extensions(self) -> None:
        assert label_table.read([]) == ()
