"""Convert a trained network to ONNX, from raw pixels to calibrated probabilities, in float and in int8."""

import ast
import copy
import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gemkit.arrays import Array
from gemkit.errors import UserError
from gemkit.progress import Progress
from gemtrain.data.augment import oriented
from gemtrain.models.classifier import Classifier
from gemtrain.models.colour_expert import ColourHead, ColourHistogram

if TYPE_CHECKING:
    from onnx import NodeProto
    from onnxruntime import InferenceSession

#: The names of the graph's input and output.
INPUT, OUTPUT = "images", "probabilities"

#: Modules whose nodes stay in float, and the prefix of their nodes' names.
_COLOURS = (ColourHistogram, ColourHead)
_IN_FLOAT = "float."
#: The exporter's note about the modules that a node comes from, a Python list.
_MODULES = "pkg.torch.onnx.class_hierarchy"

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_BATCH = 4  # each in up to 16 views at once

#: Quantisation per channel needs weights of two axes; theirs have one.
_NORMALISATIONS = ("BatchNormalization", "LayerNormalization")


class Calibrated(nn.Module):
    """uint8 images [N, side, side, channels] to calibrated probabilities [N, classes].

    They are those of `predict`, the mean over `views` orientations of an image, after `apply_temperature`.
    """

    def __init__(self, model: Classifier, views: int, temperature: float):
        super().__init__()
        self.model, self.views, self.temperature = model, views, temperature

    def forward(self, images: Tensor) -> Tensor:
        batch = images.permute(0, 3, 1, 2).contiguous()
        seen = torch.cat([oriented(batch, view, self.views) for view in range(self.views)])
        logarithms = self.model(seen).log_softmax(1).unflatten(0, (self.views, -1)).logsumexp(0)
        probabilities: Tensor = (logarithms / self.temperature).softmax(1)
        return probabilities


def check_packages() -> None:
    """Raise UserError if a package for writing ONNX is missing."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"Exporting needs packages that are not installed; run 'pip install {' '.join(missing)}'."
        )


def to_onnx(calibrated: Calibrated, image_size: int, properties: Mapping[str, str]) -> bytes:
    """The content of an equivalent ONNX file, with `properties`, which include `network`, as metadata.

    The same network and properties give the same bytes (with one version of PyTorch). Raises UserError for a
    network that cannot be converted.
    """
    from onnx.helper import set_model_props

    # In channels-last memory the exporter turns pooling into a graph that gathers numbers one by one.
    plain = copy.deepcopy(calibrated).to(memory_format=torch.contiguous_format)
    channels = plain.model.mean.numel()
    images = torch.zeros(2, image_size, image_size, channels, dtype=torch.uint8)
    try:
        program = torch.onnx.export(
            plain.eval(),
            (images,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            external_data=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise UserError(
            f"The network '{properties['network']}' cannot be converted to ONNX: {reason}"
        ) from None
    assert program is not None
    exported = program.model_proto
    graph = exported.graph
    if not graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise UserError(
            f"The network '{properties['network']}' cannot be converted to ONNX: its graph depends on the "
            "batch size; use another network."
        )
    in_float = {f"{kind.__module__}.{kind.__qualname__}" for kind in _COLOURS}
    for node in graph.node:
        if in_float.intersection(_modules_of(node)):
            node.name = f"{_IN_FLOAT}{node.name}"
    # Notes of the exporter, which include local paths.
    for noted in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del noted.metadata_props[:]
    set_model_props(exported, dict(properties))
    content: bytes = exported.SerializeToString()
    return content


def _modules_of(node: "NodeProto") -> list[str]:
    """The qualified classes of the modules that a node comes from, and its operator."""
    notes = {note.key: note.value for note in node.metadata_props}
    modules: list[str] = ast.literal_eval(notes.get(_MODULES, "[]"))
    return modules


class _Batches:
    """The images that `quantize_static` reads."""

    def __init__(self, images: Array):
        self._batches = _batches(images)

    def get_next(self) -> dict[str, Array] | None:
        """The next input; None after the last one."""
        return next(self._batches, None)


def to_int8(content: bytes, images: Array) -> bytes:
    """The network of an ONNX file in 8-bit integers, with scales measured on images [N, H, W, channels].

    The last layer, temperature, softmax and the colour histogram stay in float: rounding them would cost
    calibration and save next to nothing. Weights have a scale per channel and seven bits: without VNNI
    instructions a processor adds two products in 16 bits, where those of eight bits overflow, and the output
    would depend on the processor.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    source = onnx.load_from_string(content)
    nodes = source.graph.node
    head = max(place for place, node in enumerate(nodes) if node.op_type == "Gemm")
    values = {output for node in nodes if node.name.startswith(_IN_FLOAT) for output in node.output}
    in_float = [
        node.name
        for place, node in enumerate(nodes)
        if place >= head
        or node.op_type in _NORMALISATIONS
        or node.name.startswith(_IN_FLOAT)
        or values.intersection(node.input)
    ]
    with tempfile.TemporaryDirectory() as folder:
        given, prepared, quantised = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "done"))
        given.write_bytes(content)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Batches(images),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=in_float,
        )
        model = onnx.load(quantised)
    onnx.helper.set_model_props(model, {entry.key: entry.value for entry in source.metadata_props})
    integers: bytes = model.SerializeToString()
    return integers


def open_session(content: bytes, threads: int) -> "InferenceSession":
    """An ONNX Runtime session on `threads` threads of the CPU."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    # Threads spinning for work would slow down whatever is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_session(session: "InferenceSession", images: Array, name: str) -> Array:
    """The outputs of a session for images [N, side, side, channels]: [N, classes]; `name` is shown."""
    outputs = []
    with Progress(f"check {name}", len(images)) as progress:
        for batch in _batches(images):
            outputs.append(session.run([OUTPUT], batch)[0])
            progress.advance(len(outputs[-1]))
    return np.concatenate(outputs)


def _batches(images: Array) -> Iterator[dict[str, Array]]:
    return ({INPUT: images[start : start + _BATCH]} for start in range(0, len(images), _BATCH))
