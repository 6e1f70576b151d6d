"""A list that is kept in the scene and saved with it: nodes that belong together, and a word for them.

Nodes are kept as references of the parameter node: they may get other IDs when a scene is loaded into another, and
references follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import slicer

__all__ = ["KeptList"]

# Nodes, and a text, which may be empty.
Entry = tuple[Sequence[Any], str]


class KeptList:
    """Entries of a parameter node, each of nodes and a text.

    Every function takes the ``vtkMRMLScriptedModuleNode`` itself.

    Parameters
    ----------
    name:
        What one entry is called in the scene.
    """

    def __init__(self, name: str) -> None:
        self._count = f"{name}Count"
        self._nodes, self._size, self._text = name + "{}Nodes", name + "{}Size", name + "{}Text"

    def read(self, node: Any) -> list[Entry]:
        """The entries whose nodes are all still there, in the order they were written."""
        found = []
        for number in range(int(node.GetParameter(self._count) or 0)):
            role = self._nodes.format(number)
            nodes = [node.GetNthNodeReference(role, place) for place in range(node.GetNumberOfNodeReferences(role))]
            # Without one of its nodes it is another entry, so it is none.
            if None not in nodes and len(nodes) == int(node.GetParameter(self._size.format(number)) or 0):
                found.append((nodes, node.GetParameter(self._text.format(number))))
        return found

    def write(self, node: Any, entries: Iterable[Entry]) -> None:
        """Keep these, and no others."""
        changing = node.StartModify()
        for number in range(int(node.GetParameter(self._count) or 0)):
            node.RemoveNodeReferenceIDs(self._nodes.format(number))
            node.UnsetParameter(self._size.format(number))
            node.UnsetParameter(self._text.format(number))
        count = 0
        for count, (nodes, text) in enumerate(entries, 1):
            for one in nodes:
                node.AddNodeReferenceID(self._nodes.format(count - 1), one.GetID())
            node.SetParameter(self._size.format(count - 1), str(len(nodes)))
            node.SetParameter(self._text.format(count - 1), text)
        node.SetParameter(self._count, str(count))
        node.EndModify(changing)

    def remove(self, node: Any, number: int) -> None:
        """Forget the entry at a place in :meth:`read`; its nodes stay."""
        kept = self.read(node)
        if 0 <= number < len(kept):
            del kept[number]
            self.write(node, kept)

    @contextmanager
    def held(self, node: Any) -> Iterator[None]:
        """What is in the list stays there though the scene is taken back within, less what loses a node by it."""
        entries = self.read(node)
        yield
        there = slicer.mrmlScene.IsNodePresent
        self.write(node, [(nodes, text) for nodes, text in entries if all(there(one) for one in nodes)])
