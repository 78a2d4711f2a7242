"""EfficientNet-Lite0 up to its pooled features, as an ONNX graph.

Source: EfficientNet-Lite (Google, 2020), which is EfficientNet-B0 (Tan and Le, ICML 2019) without
squeeze-and-excitation and with ReLU6.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from curation.features.extractor import SIDE
from curation.tables import FEATURE_LENGTH
from gemkit.arrays import Array

_BLOCKS = 16
#: The blocks that halve the resolution.
_HALVING = (1, 3, 5, 11)
#: TensorFlow's epsilon, which the published weights were trained with.
_EPSILON = 1e-3
#: Understood by every ONNX Runtime since 1.14.
_OPSET, _IR_VERSION = 17, 8


def build(tensors: Mapping[str, Array]) -> bytes:
    """The graph from `image` to `features`, serialised.

    `image` is float32 [1, 3, SIDE, SIDE], RGB from −1 to 1; `features` is float32 [1, FEATURE_LENGTH].
    `tensors` are the published weights by their names. Raises KeyError when one is missing.
    """
    graph = _Graph(tensors)
    value = graph.convolve("image", "_conv_stem", "_bn0", stride=2)
    for number in range(_BLOCKS):
        value = _block(graph, value, f"_blocks.{number}", 2 if number in _HALVING else 1)
    value = graph.convolve(value, "_conv_head", "_bn1")
    graph.add("GlobalAveragePool", [value], "pooled")
    graph.add("Flatten", ["pooled"], "features")
    return graph.serialised()


def _block(graph: "_Graph", value: str, name: str, stride: int) -> str:
    """An inverted residual: expand, convolve each channel, project; added to its input where both fit."""
    inside = value
    if graph.has(f"{name}._expand_conv"):
        inside = graph.convolve(inside, f"{name}._expand_conv", f"{name}._bn0")
    inside = graph.convolve(inside, f"{name}._depthwise_conv", f"{name}._bn1", stride, each=True)
    inside = graph.convolve(inside, f"{name}._project_conv", f"{name}._bn2", linear=True)
    if stride > 1 or graph.channels[value] != graph.channels[inside]:
        return inside
    return graph.add("Add", [value, inside], f"{name}.sum", graph.channels[value])


class _Graph:
    """The nodes so far; `channels` holds those of each value."""

    def __init__(self, tensors: Mapping[str, Array]):
        self._tensors = tensors
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = [
            numpy_helper.from_array(np.array(limit, np.float32), name)
            for name, limit in (("zero", 0), ("six", 6))
        ]
        self.channels = {"image": 3}

    def has(self, name: str) -> bool:
        return f"{name}.weight" in self._tensors

    def add(self, kind: str, inputs: list[str], output: str, channels: int = 0, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        self.channels[output] = channels
        return output

    def convolve(
        self, value: str, name: str, norm: str, stride: int = 1, each: bool = False, linear: bool = False
    ) -> str:
        """A convolution with its batch normalisation folded in, and ReLU6 unless `linear`.

        `each`: every channel by itself.
        """
        weight, bias = self._folded(name, norm)
        for suffix, array in (("weight", weight), ("bias", bias)):
            self._constants.append(numpy_helper.from_array(array, f"{name}.{suffix}"))
        channels = len(weight)
        output = self.add(
            "Conv",
            [value, f"{name}.weight", f"{name}.bias"],
            name,
            channels,
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            group=channels if each else 1,
            auto_pad="SAME_UPPER",
        )
        return output if linear else self.add("Clip", [output, "zero", "six"], f"{name}.relu6", channels)

    def _folded(self, name: str, norm: str) -> tuple[Array, Array]:
        """Weight and bias of a convolution followed by its batch normalisation."""
        scale, shift, mean, variance = (
            self._tensors[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        weight = self._tensors[f"{name}.weight"] * factor[:, None, None, None]
        return weight.astype(np.float32), (shift - mean * factor).astype(np.float32)

    def serialised(self) -> bytes:
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, FEATURE_LENGTH])
        graph = helper.make_graph(
            self._nodes, "efficientnet_lite0", [image], [features], initializer=self._constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
