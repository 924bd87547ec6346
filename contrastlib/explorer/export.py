"""Networks as ONNX files that compute logits and the maps of all classes, for browsers and other runtimes.

A contrast is a weighted sum over classes. So the file needs to know no contrast: the map of weights w is
sum_s w_s phi^s, with the map phi^s of each class s that the file returns.

Weights are stored as 16-bit integers with a scale for each output channel, w = scale * integer, and are
turned back into float32 when the file is loaded. Such a weight has 15 bits of precision at the largest weight
of its channel; a float16 has 11. All computations are in float32.
"""

from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from contrastlib.assets.writing import write
from contrastlib.explorer.heads import head_of
from contrastlib.models import Classifier

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT, LOGITS = "pixels", "logits"
"""Names of the input and of the first output of a file."""
STORED = 512
"""Number of weights below which a tensor stays in float32."""
LARGEST = 32767


def maps_name(index: int) -> str:
    """Return the name of the output with the maps of the i-th group of methods.

    >>> maps_name(0)
    'maps0'
    """
    return f"maps{index}"


class WithMaps(nn.Module):
    """A classifier that returns its logits and the maps of all classes.

    Args:
        classifier: The classifier, whose head is one of :mod:`contrastlib.explorer.heads`.

    Attributes:
        methods: Names of the methods of each tensor of maps.

    Raises:
        ValueError: No head fits.

    >>> from contrastlib import models
    >>> network = models.load("birds_resnet")
    >>> logits, maps = WithMaps(network)(torch.full((1, 3, 128, 128), 127.))
    >>> logits.shape, maps.shape
    (torch.Size([1, 30]), torch.Size([1, 30, 16, 16]))
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.head = head_of(classifier)
        self.classifier = classifier
        self.methods = self.head.methods

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute logits (1, C) and maps (1, C, h, w) from pixels (1, 3, H, W) between 0 and 255."""
        found: list[Tensor] = []
        layer = self.classifier.get_submodule(self.head.reads)
        handle = layer.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
        try:
            self.classifier(pixels / 255)
        finally:
            handle.remove()
        logits, maps = self.head(found[0])
        return logits, *maps


def export(classifier: Classifier, path: Path, bits: int | None = None) -> dict:
    """Write a classifier with the maps of all classes as an ONNX file.

    The file takes "pixels" (1, 3, H, W), float32 between 0 and 255, and returns "logits" (1, C) and "maps0"
    (1, C, h, w), with "maps1" and so on where methods differ.

    Args:
        classifier: The classifier.
        path: The file to write.
        bits: 16, or 32 for weights in float32. None stands for 16 where the maps stay within 1e-3 of their
            range, and for 32 where the head has ReLUs or pools, which rounding can turn.

    Returns:
        What a page needs to know: the size of the images, how photographs are resized, the layer, the methods
        of each output, and the number of bytes of the file.

    Raises:
        ValueError: The head of the network cannot be exported, or there is no such number of bits.
        ModuleNotFoundError: ``onnx`` or ``onnxscript`` is not installed.
        CannotWrite: The file cannot be written. An older file stays as it was.

    >>> import tempfile
    >>> from contrastlib import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     about = export(models.load("birds_resnet"), Path(folder) / "birds.onnx")
    >>> about["layer"], about["size"], about["outputs"]
    ('network.layer3', 128, [['gradcam', 'linear_approximation', 'xgradcam']])
    """
    if bits not in (None, 16, 32):
        raise ValueError(f"bits is {bits}: weights have 16 or 32")
    for needed in ("onnx", "onnxscript"):  # torch would say less
        import_module(needed)
    network = WithMaps(classifier).eval()
    names = [LOGITS, *(maps_name(index) for index in range(len(network.methods)))]
    model = _traced(network, classifier.input_size, names)
    _fold_norms(model)
    if (bits or network.head.bits) == 16:
        _store_in_16_bits(model)
    about = {
        "name": classifier.name,
        "size": classifier.input_size,
        "resize": classifier.resize,
        "interpolation": classifier.interpolation.value,
        "layer": network.head.layer,
        "outputs": [list(group) for group in network.methods],
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "contrastlib", json.dumps(about)
    data = model.SerializeToString()
    write(path, data)
    return about | {"names": names, "bytes": len(data)}


def _traced(network: nn.Module, side: int, names: list[str]) -> ModelProto:
    """Trace a network to a graph."""
    pixels = torch.zeros(1, 3, side, side)
    logger, level = logging.getLogger("torch.onnx"), logging.getLogger("torch.onnx").level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (pixels,),
                input_names=[INPUT],
                output_names=names,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    return program.model_proto


def _fold_norms(model: ModelProto) -> None:
    """Fold each batch norm into the convolution before it, which nothing else uses."""
    from onnx import numpy_helper

    graph = model.graph
    tensors = {each.name: each for each in graph.initializer}
    made = {node.output[0]: node for node in graph.node if node.op_type == "Conv"}
    uses = [name for node in graph.node for name in node.input]
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        convolution = made.get(norm.input[0])
        if convolution is None or uses.count(norm.input[0]) > 1:
            continue
        given = [
            torch.tensor(numpy_helper.to_array(tensors[name])).double()
            for name in (*convolution.input[1:], *norm.input[1:])
        ]
        weight, *bias, scale, shift, mean, variance = given
        epsilon = next((each.f for each in norm.attribute if each.name == "epsilon"), 1e-5)
        weight, shift = fuse_conv_bn_weights(
            weight, bias[0] if bias else None, mean, variance, epsilon, scale, shift
        )
        name = convolution.input[1]
        tensors[name].CopyFrom(numpy_helper.from_array(weight.detach().float().numpy(), name))
        graph.initializer.append(
            numpy_helper.from_array(shift.detach().float().numpy(), f"{norm.output[0]}.bias")
        )
        del convolution.input[2:]
        convolution.input.append(f"{norm.output[0]}.bias")
        convolution.output[0] = norm.output[0]
        graph.node.remove(norm)
    _drop_unused(model)


def _store_in_16_bits(model: ModelProto) -> None:
    """Store large tensors of weights as 16-bit integers, with a scale for each of their first dimension."""
    from onnx import TensorProto, helper, numpy_helper

    graph, nodes = model.graph, []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < STORED or values.ndim < 2:
            continue
        name = tensor.name
        scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / LARGEST
        scale = np.where(scale == 0, 1, scale).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int16), f"{name}.int16"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes += [
            helper.make_node("Cast", [f"{name}.int16"], [f"{name}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [name]),
        ]
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + kept)


def _drop_unused(model: ModelProto) -> None:
    """Remove the tensors that no node uses, and the notes of the exporter."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    for tensor in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]
    del model.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
