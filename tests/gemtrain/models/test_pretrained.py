"""Sources of pretrained weights: hosts that cannot be reached, and downloads."""

import http.server
import threading
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.models import pretrained
from gemtrain.models.loading import weights_file


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "mobilenet_v1", "timm/resnet10t"])
def test_a_host_that_cannot_be_reached(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*arguments: object, timeout: float) -> None:
        assert timeout <= 10
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments: None)
    monkeypatch.setattr(pretrained, "urlopen", urlopen)
    with pytest.raises(UserError, match=r"no route to host.*weights file.*none.*efficientnet_lite0") as error:
        weights_file(Project(), name, "pretrained")
    assert f"'{name}'" in str(error.value) and "\n" not in str(error.value)


def test_a_download_is_verified_and_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"weights"
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.command)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content if self.command == "GET" else b"")

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        source = pretrained.torch_hub(f"{address}/net-{sha256(content).hexdigest()[:8]}.pth")
        path = source()
        assert path.read_bytes() == content and tmp_path in path.parents
        assert source() == path and requests == ["HEAD", "GET"]
        with pytest.raises(pretrained.WeightsUnavailable, match="hash"):
            pretrained.torch_hub(f"{address}/other-00000000.pth")()
        server.shutdown()
    with pytest.raises(pretrained.WeightsUnavailable, match=r"127\.0\.0\.1"):
        pretrained.torch_hub(f"{address}/third-00000000.pth")()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
