"""``python -m napari_resmed.cli``, where the script is not on the path."""

from napari_resmed.__main__ import main

main()
