"""Bad input ends with one clear sentence and exit code 2, without a traceback or loss of data."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation.tables import CLEAN, SPLIT
from gemkit.tables import read_table, write_table
from tests.helpers.commands import BIN, ROOT, called, command
from tests.helpers.project import set_param
from tests.helpers.slow import others_slow

ROOT_SITE = (ROOT / "scraper/sites/gempundit.toml").read_text()
MEASURE = ("gemcurate", "measure", "--site", "demo")
TRAIN = ("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet")
EVALUATE = ("gemtrain", "evaluate", "--dataset", "d1k", "--recipe", "gemnet")


def refused(*arguments: str, cwd: Path, words: tuple[str, ...]) -> None:
    """Run a command that must fail with one error message that contains all the words."""
    done = called(*arguments, cwd=cwd, expect=2)
    assert "Traceback" not in done.stderr and "Traceback" not in done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    for word in words:
        assert word in errors[0], errors[0]


def test_unknown_site(workspace: Path) -> None:
    refused("gemscrape", "crawl", "--site", "atlantis", cwd=workspace, words=("atlantis", "demo"))


@pytest.mark.parametrize(
    ("text", "word"),
    [("title = [", "shop.toml"), (ROOT_SITE + "\nnonsense = 1", "nonsense"), ("", "shop.toml")],
)
def test_invalid_site_file(workspace: Path, text: str, word: str) -> None:
    (workspace / "shop.toml").write_text(text)
    refused("gemscrape", "crawl", "--site", "shop.toml", cwd=workspace, words=("shop.toml", word))


def test_missing_site_file(workspace: Path) -> None:
    refused("gemscrape", "crawl", "--site", "nowhere/shop.toml", cwd=workspace, words=("nowhere/shop.toml",))


@pytest.mark.parametrize(
    ("stage", "path", "value", "word"),
    [
        (("gemscrape", "crawl", "--site", "demo"), "crawl.demo.sede", 1, "crawl.demo.sede"),
        (MEASURE, "measure.text_side", "wide", "measure.text_side"),
        (("gemcurate", "clean"), "clean.rules.text.boxes", "three", "clean.rules.text.boxes"),
        (("gemcurate", "clean"), "clean.rules.astrology", {}, "astrology"),
        (("gemcurate", "crop"), "crop.size", -5, "crop.size"),
        (("gemcurate", "split"), "split.test", 1.5, "split.test"),
        (("gemcurate", "balance", "--dataset", "d1k"), "balance.orientations", 7, "balance.orientations"),
        (TRAIN, "train.recipes.gemnet.max_stps", 3, "max_stps"),
        (TRAIN, "train.recipes.gemnet.image_size", "big", "image_size"),
    ],
)
def test_invalid_params(project: Path, stage: tuple[str, ...], path: str, value: object, word: str) -> None:
    set_param(project, path, value)
    refused(*stage, cwd=project, words=("params.yaml", word))


def test_missing_params(tmp_path: Path) -> None:
    refused("gemcurate", "split", cwd=tmp_path, words=("params.yaml",))


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        (MEASURE, "data/raw/demo/images.parquet"),
        (("gemcurate", "clean"), "data/measured/demo.parquet"),
        (("gemcurate", "crop"), "data/clean.parquet"),
        (("gemcurate", "split"), "data/clean.parquet"),
        (("gemcurate", "balance", "--dataset", "d1k"), "data/split.parquet"),
        (("gemcurate", "balance", "--dataset", "d1k"), "data/crops/00000.parquet"),
        (TRAIN, "data/datasets/d1k/train-00000.parquet"),
        (EVALUATE, "data/datasets/d1k/test-00000.parquet"),
    ],
)
def test_truncated_and_missing_tables(project: Path, stage: tuple[str, ...], file: str) -> None:
    path = project / file
    path.write_bytes(path.read_bytes()[:-100])
    refused(*stage, cwd=project, words=(file,))
    path.unlink()
    refused(*stage, cwd=project, words=(str(Path(file).parent if "00000" in file else file),))


def only_variety(folder: Path, keep: int) -> None:
    """Keep only the first `keep` varieties in the split table."""
    split = read_table(folder / "data/split.parquet", SPLIT)
    varieties = sorted(set(split["variety"].to_pylist()))[:keep]
    rows = [row for row in split.to_pylist() if row["variety"] in varieties]
    write_table(folder / "data/split.parquet", pa.Table.from_pylist(rows, schema=SPLIT))


def test_a_dataset_of_one_class(project: Path) -> None:
    only_variety(project, 1)
    refused("gemcurate", "balance", "--dataset", "d1k", cwd=project, words=("d1k",))


def test_a_dataset_without_images(project: Path) -> None:
    clean = read_table(project / "data/clean.parquet", CLEAN)
    nothing = clean.set_column(clean.schema.get_field_index("keep"), "keep", pa.array([False] * len(clean)))
    write_table(project / "data/clean.parquet", nothing.cast(CLEAN))
    refused("gemcurate", "split", cwd=project, words=("data/clean.parquet",))


def test_unknown_dataset_and_recipe(project: Path) -> None:
    refused("gemcurate", "balance", "--dataset", "d9k", cwd=project, words=("d9k", "d1k"))
    refused("gemtrain", "train", "--dataset", "d9k", "--recipe", "gemnet", cwd=project, words=("d9k",))
    refused(
        "gemtrain",
        "train",
        "--dataset",
        "d1k",
        "--recipe",
        "gamenet",
        cwd=project,
        words=("gamenet", "gemnet"),
    )


def test_evaluating_an_untrained_model(project: Path) -> None:
    shutil.rmtree(project / "models")
    refused(*EVALUATE, cwd=project, words=("models/d1k/gemnet",))


def test_a_leaking_dataset_is_rejected(project: Path) -> None:
    train = sorted((project / "data/datasets/d1k").glob("train-*.parquet"))[0]
    rows = pq.read_table(train)
    leaked = rows.filter((pc.field("rotation") == 0) & ~pc.field("mirrored")).slice(0, 1)
    test = project / "data/datasets/d1k/test-00000.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(test), leaked]), test)
    refused(*EVALUATE, cwd=project, words=("group", "d1k"))


def test_unavailable_weights(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file, network and registry, the error names the alternatives."""
    for file in (project / ".cache").rglob("u2netp.onnx"):
        file.unlink()
    for file in (project / ".cache").glob("crop.sqlite*"):
        file.unlink()
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "U2NET_HOME": str(home / "u2net"), "PIP_NO_INDEX": "1"}
    for name in ("PIP_INDEX_URL", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        environment[name] = "http://127.0.0.1:9"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    refused("gemcurate", "crop", cwd=project, words=("u2netp", "gemcurate models", "u2netp.onnx"))


def limited(kilobytes: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with a limit on the file size, which simulates a full disk."""
    script = f"ulimit -f {kilobytes}; trap '' XFSZ; exec \"$@\""
    return subprocess.run(
        ["bash", "-c", script, "-", str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd, capture_output=True, text=True, timeout=200,
    )  # fmt: skip


@pytest.mark.parametrize(
    "stage",
    others_slow(
        [("gemcurate", "split"), ("gemcurate", "clean"), ("gemcurate", "balance", "--dataset", "d1k")],
        ("gemcurate", "split"),
    ),
)
def test_a_full_disk(project: Path, stage: tuple[str, ...]) -> None:
    before = (project / "data/split.parquet").read_bytes()
    done = limited(1, *stage, cwd=project)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and "Cannot write" in done.stderr
    assert (project / "data/split.parquet").read_bytes() == before
    called(*stage, cwd=project)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("unshare"), reason="root writes everywhere")
def test_a_read_only_disk(project: Path) -> None:
    folder = project / "data"
    if os.geteuid() == 0:
        script = f'mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec "$@"'
        prefix = ["unshare", "--mount", "bash", "-c", script, "-"]
        if subprocess.run([*prefix, "true"], capture_output=True).returncode:
            pytest.skip("mounting is not permitted on this machine")
    else:
        folder.chmod(0o555)
        prefix = []
    done = subprocess.run(
        [*prefix, str(BIN / "gemcurate"), "split"], cwd=project, capture_output=True, text=True, timeout=100
    )
    folder.chmod(0o755)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "Cannot write" in done.stderr, (
        done.stderr
    )


@pytest.mark.parametrize("name", ["gemscrape", "gemcurate", "gemtrain"])
def test_help_imports_nothing_heavy_and_bad_usage_exits_with_2(tmp_path: Path, name: str) -> None:
    """`--help` must answer in half a second, which requires that nothing heavy is imported."""
    heavy = ("torch", "cv2", "rembg", "rapidocr", "bs4", "httpx", "pandas", "sklearn", "matplotlib")
    module = {"gemscrape": "scraper", "gemcurate": "curation", "gemtrain": "gemtrain"}[name]
    code = f"import sys, {module}.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = command("python", "-c", code, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
    begin = time.perf_counter()
    command(name, "--help", cwd=tmp_path)
    print(f"{name} --help: {time.perf_counter() - begin:.2f} s")
    command(name, "--nonsense", cwd=tmp_path, expect=2)
