from __future__ import annotations

from typing import Any

import pytest

from napari_resmed.errors import ModelError
from napari_resmed.models.monai_bundle.expressions import evaluate

VALUES: dict[str, Any] = {"patch_size": 256, "out_size": 164, "size": [96, 64], "inner::list::1": "b", "root": "."}


class TestEvaluate:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("$@patch_size", 256),
            ("$1.0 - float(@out_size) / float(@patch_size)", 1 - 164 / 256),
            ("$((@patch_size - @out_size) // 2,) * 4", (46, 46, 46, 46)),
            ("$@size[0]//4", 24),
            ("$[@size[1]] + list(range(2))", [64, 0, 1]),
            ("$@inner::list::1", "b"),
            ("$@inner#list#1", "b"),
            ("$@root + '/models/model.pt'", "./models/model.pt"),
            ("$len(@size) if not @patch_size > 300 else -1", 2),
            ("${'a': max(1, 2), 'b': @size[::-1]}", {"a": 2, "b": [64, 96]}),
            ("$list(@size)[-1:]", [64]),
        ],
    )
    def test_computes(self, expression: str, expected: Any) -> None:
        assert evaluate(expression, lambda name: VALUES[name.replace("#", "::")]) == expected

    @pytest.mark.parametrize(
        "expression",
        [
            "$__import__('os').system('true')",
            "$os.path.join('a', 'b')",
            "$(lambda: 1)()",
            "$[i for i in range(3)]",
            "$(1).__class__",
            "$@size.append(1)",
            "$open('/etc/passwd')",
            "$eval('1')",
            "$f'{1}'",
            "$import os",
            "$2 ** 99",
            "$'%s' % 1",
            "$_reference_0",
            "$dict(**{'a': 1})",
            "$(x := 1)",
        ],
    )
    def test_refuses_the_rest_by_name(self, expression: str) -> None:
        with pytest.raises(ModelError) as refused:
            evaluate(expression, lambda name: VALUES[name])
        assert expression in str(refused.value)

    @pytest.mark.parametrize("expression", ["$'a' * 10**9", "$[0] * 99999999", "$range(10000000)", "$" + "9" * 40])
    def test_what_would_fill_the_memory(self, expression: str) -> None:
        with pytest.raises(ModelError):
            evaluate(expression, lambda name: VALUES[name])

    def test_what_is_known_nowhere(self) -> None:
        with pytest.raises(ModelError, match="cannot be followed"):
            evaluate("$@size[9]", lambda name: VALUES[name])
