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
from collections.abc import Iterator, Set
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
    _convolution abs add add_ addmm all amax amin any append arange argmax avg_pool2d avg_pool3d baddbmm batch_norm
    bmm cat ceil chunk clamp clamp_ clone constant_pad_nd contiguous conv1d conv2d conv3d conv_transpose1d
    conv_transpose2d conv_transpose3d detach dim div div_ dropout dropout_ einsum elu elu_ embedding empty eq exp
    expand expand_as feature_dropout feature_dropout_ flatten flip floor floor_divide floordiv format full full_like
    gather ge gelu group_norm gt hardswish hardswish_ hardtanh hardtanh_ index index_select instance_norm interpolate
    is_floating_point keys layer_norm le leaky_relu leaky_relu_ len linear linspace list log log_softmax logical_and
    logical_not logical_or logsumexp lt masked_fill masked_fill_ matmul max max_pool2d max_pool3d mean meshgrid min
    mish mul mul_ narrow ndim ne neg new_zeros numel ones ones_like pad percentFormat permute pow prelu prod
    reciprocal relu relu_ relu6 remainder repeat repeat_interleave reshape reverse roll round rsqrt rsub scalar_tensor
    scaled_dot_product_attention select selu selu_ sigmoid sigmoid_ silu silu_ size slice softmax softplus sort split
    split_with_sizes sqrt squeeze stack std sub sub_ sum t tanh tanh_ tensor tensor_split tile to transpose triu
    true_divide type_as unbind unflatten _set_item as_tensor device fill_ items pop squeeze_ unsqueeze_ unsqueeze
    values var view warn where zeros zeros_like _unwrap_optional __and__ __contains__ __derive_index __getitem__
    __is__ __isnot__ __not__ __or__ __range_length _native_batch_norm_legit adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d adaptive_max_pool3d Int Float Bool FloatImplicit IntImplicit ScalarImplicit
    """.split()  # noqa: SIM905
)
_UPSAMPLING = re.compile(r"_?upsample_[a-z0-9_]+")
_PRIMITIVES = frozenset(
    """
    NumToTensor RaiseException TupleIndex TupleUnpack data device dtype max min type unchecked_cast
    unchecked_unwrap_optional
    """.split()  # noqa: SIM905
)
_PLAIN = frozenset(
    """
    annotate bool float getattr int len list max min range sorted str unchecked_cast uninitialized
    """.split()  # noqa: SIM905
)


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
    programs: list[ast.Module] = []
    try:
        with zipfile.ZipFile(path) as packed, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as fresh:
            names = packed.namelist()
            if len(set(names)) != len(names):
                raise ModelError(f"{path.name} holds files twice; it is refused")
            for name in names:
                content = packed.read(name)
                if name.endswith(".py"):
                    programs.append(_parsed(content, path.name))
                fresh.writestr(name, content)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as problem:
        raise ModelError(f"{path.name} is damaged or no TorchScript; get the file anew") from problem
    defined = {node.name for tree in programs for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    methods = _OPERATORS | {name for name in defined if not _is_operator(name)}
    for tree in programs:
        for found in _suspicious(tree, methods):
            raise ModelError(
                f"{path.name} asks for {found}, which a network does not need and which could reach beyond it; it is "
                "refused"
            )
    return copy.getvalue()


def _parsed(content: bytes, called: str) -> ast.Module:
    try:
        return ast.parse(content.decode("utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise ModelError(f"{called} holds a program that cannot be read; it is refused") from problem


def _is_operator(name: str) -> bool:
    """Whether a method of that name could be torch's own instead of the script's."""
    return any(torch._C._jit_get_schemas_for_operator(f"{space}::{name}") for space in ("aten", "prim"))


def _suspicious(tree: ast.Module, methods: Set[str]) -> Iterator[str]:
    """What in a program is neither computing nor a call of the script's own functions."""
    own = _names_of_functions(tree)
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name="__setstate__" | "__getstate__" as name):
                yield f"{name} at loading"
            case ast.Import() | ast.ImportFrom() if not _harmless_import(node):
                yield "an import"
            case ast.Attribute(value=ast.Name(id="torch"), attr=name):
                if name not in _OPERATORS and not _UPSAMPLING.fullmatch(name):
                    yield f"torch.{name}"
            case ast.Attribute(value=ast.Name(id="ops"), attr=name) if name != "prim":
                yield f"ops.{name}"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="ops"), attr="prim"), attr=name):
                if name not in _PRIMITIVES:
                    yield f"ops.prim.{name}"
            case ast.Attribute(attr="classes") if ast.unparse(node) == "__torch__.torch.classes":
                yield "a class of its own"
            # Names that another thing could hide behind; a module may well be called ops.
            case ast.Name(id="torch" | "__torch__" as name, ctx=ast.Store()):
                yield f"another {name}"
            case ast.arg(arg="torch" | "__torch__" as name):
                yield f"another {name}"
            # Names like _0 stand for functions of the script itself.
            case ast.Call(func=ast.Name(id=name)) if name not in _PLAIN and name not in own:
                yield name
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name not in methods:
                space = ast.unparse(value)
                if space not in ("torch", "ops.prim") and not f"{space}.".startswith("__torch__."):
                    yield f"the method {name}"
            case ast.Call(func=ast.Attribute()):
                pass
            case ast.Call(func=function) if not isinstance(function, ast.Name):
                yield f"a call of {ast.unparse(function)}"


def _names_of_functions(tree: ast.Module) -> set[str]:
    """Names that stand for functions of the script, and for nothing else anywhere."""
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                # A plain name in nearly all cases; of any other every name in it counts as something else.
                is_function = isinstance(target, ast.Name) and ast.unparse(node.value).startswith("__torch__.")
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id] = found.get(name.id, True) and is_function
    return {name for name, is_function in found.items() if is_function}


def _harmless_import(node: ast.Import | ast.ImportFrom) -> bool:
    """Files of one script name each other in this way."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
    return all(name.split(".")[0] == "__torch__" for name in names)
