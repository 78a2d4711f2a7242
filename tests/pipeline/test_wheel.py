"""The wheel works outside the checkout, in an environment with the base dependencies only."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.commands import ROOT
from tests.helpers.crawl_shop import Shop, jpeg

pytestmark = pytest.mark.slow

#: Libraries that only the extras install.
HEAVY = ("cv2", "dvc", "jinja2", "matplotlib", "numpy", "onnxruntime", "rembg", "scipy", "torch")


@dataclass(frozen=True)
class Bare:
    """A virtual environment with the wheel, and an empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, *arguments: str, expect: int = 0, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the folder, without the checkout on any path."""
        done = subprocess.run(
            [self.environment / "bin" / arguments[0], *arguments[1:]],
            cwd=self.folder / cwd,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the files that git knows."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in listed.splitlines():
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    pip("wheel", "--no-deps", "--wheel-dir", str(built), str(source))
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Bare:
    """The wheel in a new virtual environment."""
    environment = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip("--python", str(environment), "install", str(wheel))
    return Bare(environment, tmp_path_factory.mktemp("work"))


def pip(*arguments: str) -> None:
    """Run pip; skip the tests if it reaches no package index."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--retries", "1", "--timeout", "30", *arguments],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 and "No matching distribution found" in done.stderr:
        pytest.skip("pip reaches no package index")
    assert done.returncode == 0, done.stderr


def test_the_base_installation_is_light(bare: Bare) -> None:
    script = f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])"
    assert bare.run("python", "-c", script).stdout == "[]\n"


@pytest.mark.parametrize("name", ["gemscrape", "gemcurate", "gemtrain"])
def test_every_command_answers(bare: Bare, name: str) -> None:
    assert "Usage" in bare.run(name, "--help").stdout


def test_what_needs_no_project_works(bare: Bare) -> None:
    assert "demo" in bare.run("gemscrape", "sites").stdout
    assert "gemnet" in bare.run("gemtrain", "recipes").stdout
    (bare.folder / "links.csv").write_text("class,image_url\nRuby,https://images.example.com/1.jpg\n")
    assert "1 distinct" in bare.run("gemscrape", "plan", "--links", "links.csv").stdout


def test_a_new_project_crawls_and_imports(bare: Bare) -> None:
    made = bare.run("gemscrape", "init", "gems").stdout
    assert "pip install 'gemscrape[all]'" in made and "dvc repro" in made
    project = bare.folder / "gems"
    assert "sapphire" in (project / "labels/taxonomy.toml").read_text().lower()
    assert "Nothing reruns" in bare.run("gemscrape", "upgrade", cwd="gems").stdout
    with Shop(products=2) as shop:
        shop.site(project)
        assert "4" in bare.run("gemscrape", "crawl", "--site", "shop.toml", cwd="gems").stdout
    assert len(list((project / "data/raw/shop/images").rglob("*.jpg"))) == 4
    (project / "mine/Ruby").mkdir(parents=True)
    (project / "mine/Ruby/1.jpg").write_bytes(jpeg(1, side=200))
    bare.run("gemscrape", "import", "mine", "--site", "mine", cwd="gems")
    assert len(list((project / "data/raw/mine/images").rglob("*.jpg"))) == 1
    assert "finished" in bare.run("gemscrape", "status", "--site", "mine", cwd="gems").stdout


@pytest.mark.parametrize(
    ("command", "user", "extra"),
    [
        (("gemscrape", "crawl", "--site", "demo"), "The demo store", "curate"),
        (("gemscrape", "store"), "The demo store", "curate"),
        (("gemcurate", "measure", "--site", "demo"), "'gemcurate measure'", "curate"),
        (("gemcurate", "clean"), "'gemcurate clean'", "curate"),
        (("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet"), "'gemtrain train'", "train"),
        (("gemtrain", "predict", "1.jpg", "--model", "d1k/gemnet"), "'gemtrain predict'", "train"),
    ],
)
def test_a_missing_extra_is_named(bare: Bare, command: tuple[str, ...], user: str, extra: str) -> None:
    if not (bare.folder / "demo").exists():
        bare.run("gemscrape", "init", "demo")
    done = bare.run(*command, cwd="demo", expect=2)
    install = f"pip install 'gemscrape[{extra}]'"
    assert done.stderr == f"error: {user} needs the extra '{extra}'; install it with: {install}\n"


def test_a_function_names_the_extra_too(bare: Bare) -> None:
    done = bare.run("python", "-c", "from curation import crop_image", expect=1)
    assert "'curation.crop_image' needs the extra 'curate'" in done.stderr
