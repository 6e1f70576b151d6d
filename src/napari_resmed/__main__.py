"""``python -m napari_resmed``."""

from napari_resmed.cli.main import main

main()
