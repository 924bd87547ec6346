"""Processors and GPUs of studies: which one, in which precision, and images that are read ahead for it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def fastest() -> torch.device:
    """The GPU that this process sees first, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def without_tf32() -> None:
    """Let this process compute products in float32, and by algorithms that give the same bits each time.

    By default, cuDNN rounds the factors of a convolution to the 10 bits of TF32.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def precision() -> str:
    """Precision of products on GPUs in this process.

    >>> without_tf32(); precision()
    'float32, without TF32, deterministic'
    """
    tf32 = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
    kind = ", deterministic" if torch.backends.cudnn.deterministic else ""
    return f"float32, {'with' if tf32 else 'without'} TF32{kind}"


def described() -> dict[str, Any]:
    """The GPU of this process, for provenance: name, driver, CUDA, cuDNN and precision. Empty without one."""
    if not torch.cuda.is_available():
        return {}
    return {
        "gpu": {
            "name": torch.cuda.get_device_name(),
            "driver": _driver(),
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
            "precision": precision(),
        }
    }


def _driver() -> str:
    """Release of the driver. "unknown" if the command nvidia-smi does not say it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return output.split("\n", 1)[0].strip() or "unknown"


def pinned(device: torch.device, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors in memory from which a GPU copies while it computes. For a processor, they stay as they are.

    >>> pinned(torch.device("cpu"), torch.ones(1))
    (tensor([1.]),)
    """
    return tuple(each.pin_memory() for each in tensors) if device.type == "cuda" else tensors


def ahead(read: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """Read items in a thread, each while the one before it is used.

    Args:
        read: Function of an item. It may raise an error, which is raised when the result is asked for.
        items: The items.

    Yields:
        The results in the order of the items.

    >>> list(ahead(str.upper, ["a", "b"]))
    ['A', 'B']
    """
    with ThreadPoolExecutor(1, "read ahead") as pool:
        following = None
        for item in items:
            current, following = following, pool.submit(read, item)
            if current:
                yield current.result()
        if following:
            yield following.result()
