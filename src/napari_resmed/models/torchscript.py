"""Networks as TorchScript, for those that cannot be built from their description.

TorchScript is a program. It cannot call Python, but some of its operators read and write files, and it may run while it
is loaded. So its text is read first: nothing but the operators below, which compute with tensors and numbers, and
nothing that runs at loading. What is then loaded is a copy of what was read. See docs/decisions/0005-torchscript.md.
"""

from __future__ import annotations

import ast
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from napari_resmed.errors import ModelError

__all__ = ["SCRIPT", "TORCHSCRIPT", "check_script", "load_script"]

# As a model's network, and where in its folder the script lies.
TORCHSCRIPT = "TorchScript"
SCRIPT = Path("models/model.ts")

_OPERATORS = frozenset(
    """
    _convolution abs add add_ addmm all amax amin any append arange argmax avg_pool2d avg_pool3d baddbmm batch_norm bmm
    cat ceil chunk clamp clamp_ clone constant_pad_nd contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d detach dim div div_ dropout dropout_ einsum elu elu_ embedding empty eq exp expand expand_as
    feature_dropout feature_dropout_ flatten flip floor floor_divide floordiv format full full_like gather ge gelu
    group_norm gt hardswish hardswish_ hardtanh hardtanh_ index index_select instance_norm interpolate is_floating_point
    keys layer_norm le leaky_relu leaky_relu_ len linear linspace list log log_softmax logical_and logical_not
    logical_or logsumexp lt masked_fill masked_fill_ matmul max max_pool2d max_pool3d mean meshgrid min mish mul mul_
    narrow ndim ne neg new_zeros numel ones ones_like pad percentFormat permute pow prelu prod reciprocal relu relu_ relu6
    remainder repeat repeat_interleave reshape reverse roll round rsqrt rsub scalar_tensor scaled_dot_product_attention
    select selu selu_ sigmoid sigmoid_ silu silu_ size slice softmax softplus sort split split_with_sizes sqrt squeeze
    stack std sub sub_ sum t tanh tanh_ tensor tensor_split tile to transpose triu true_divide type_as unbind unflatten
    _set_item as_tensor device fill_ items pop squeeze_ unsqueeze_ unsqueeze values var view warn where zeros zeros_like
    _unwrap_optional __and__ __contains__ __derive_index __getitem__ __is__ __isnot__ __not__ __or__ __range_length
    _native_batch_norm_legit adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool3d Int Float
    Bool FloatImplicit IntImplicit ScalarImplicit
    """.split()
)
_UPSAMPLING = re.compile(r"_?upsample_[a-z0-9_]+")
_PRIMITIVES = frozenset(
    "NumToTensor RaiseException TupleIndex TupleUnpack data device dtype max min type unchecked_cast "
    "unchecked_unwrap_optional".split()
)
_PLAIN = frozenset("annotate bool float getattr int len list max min range sorted str unchecked_cast uninitialized".split())


def load_script(path: Path) -> nn.Module:
    """The network of a TorchScript file, after :func:`check_script`.

    Raises
    ------
    ModelError
        If it does more than compute, is damaged, or is no TorchScript.
    """
    whole = check_script(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would have everybody use its newer format
            network: nn.Module = torch.jit.load(io.BytesIO(whole), map_location="cpu")  # type: ignore[no-untyped-call]
    except MemoryError:
        raise
    except Exception as problem:  # whatever damaged bytes make of it
        raise ModelError(f"{path.name} is damaged or no TorchScript; get the file anew") from problem
    return network


def check_script(path: Path) -> bytes:
    """The bytes of a TorchScript file, packed anew from what was read of it.

    Raises
    ------
    ModelError
        If it uses an operator that does more than compute, or runs at loading.
    """
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as packed, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as fresh:
            names = packed.namelist()
            if len(set(names)) != len(names):
                raise ModelError(f"{path.name} holds files twice; it is refused")
            for name in names:
                content = packed.read(name)
                if name.endswith(".py"):
                    _check(content.decode("utf-8"), path.name)
                fresh.writestr(name, content)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, RuntimeError, NotImplementedError, EOFError) as problem:
        raise ModelError(f"{path.name} is damaged or no TorchScript; get the file anew") from problem
    return copy.getvalue()


def _check(text: str, called: str) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise ModelError(f"{called} holds a program that cannot be read; it is refused") from problem
    for found in _suspicious(tree):
        raise ModelError(
            f"{called} asks for {found}, which a network does not need and which could reach beyond it; it is refused"
        )


def _suspicious(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__setstate__", "__getstate__"):
            yield f"{node.name} at loading"
        elif isinstance(node, ast.Import | ast.ImportFrom) and not _harmless_import(node):
            yield "an import"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "torch" and node.attr not in _OPERATORS and not _UPSAMPLING.fullmatch(node.attr):
                yield f"torch.{node.attr}"
            elif node.value.id == "ops" and node.attr != "prim":
                yield f"ops.{node.attr}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ops.prim":
            if node.attr not in _PRIMITIVES:
                yield f"ops.prim.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # Names like _0 stand for functions of the script itself.
            if node.func.id not in _PLAIN and not re.fullmatch(r"_\d+", node.func.id):
                yield node.func.id


def _harmless_import(node: ast.Import | ast.ImportFrom) -> bool:
    """Files of one script name each other in this way."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
    return all(name.split(".")[0] == "__torch__" for name in names)
