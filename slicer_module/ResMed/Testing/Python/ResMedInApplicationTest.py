"""What a build of the extension runs in the application: the module is found, loads, and its own test passes."""

from __future__ import annotations

import unittest

import slicer


class ResMedInApplicationTest(unittest.TestCase):
    """Needs the application; ``tests/slicer`` holds the tests that do not."""

    def test_the_module_is_found(self) -> None:
        """With its panel and its logic."""
        self.assertTrue(hasattr(slicer.modules, "resmed"))
        slicer.util.selectModule("ResMed")
        widget = slicer.modules.resmed.widgetRepresentation().self()
        self.assertIsNotNone(widget.logic.getParameterNode())

    def test_the_modules_own_test(self) -> None:
        """See ``ResMedTest`` in ResMed.py."""
        slicer.selfTests["ResMed"]()


if __name__ == "__main__":
    unittest.main()
