"""A store's statements about the use of its images."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemkit.errors import UserError
from scraper.http.opt_out import disallowed_by_content_signal, disallowed_by_x_robots_tag
from scraper.http.reason import Reason
from scraper.params import crawl_params
from scraper.stores.config import load_site
from scraper.tables import ReasonKind
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop


@pytest.mark.parametrize(
    ("value", "directive"),
    [
        ("", None),
        ("all", None),
        ("noai", "noai"),
        ("NoImageAI, nofollow", "noimageai"),
        ("nofollow, noindex", "noindex"),
        ("none", "none"),
        ("gemscrape: noindex", "noindex"),
        ("Gemscrape/1.0: noai", "noai"),
        ("GemScrape : noai", "noai"),
        ("gemscrape-image: noai", None),
        ("notgemscrape/1.0: noai", None),
        ("googlebot: noai", None),
        ("otherbot: noindex", None),
        ("otherbot: noindex, noai", "noai"),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noimageindex", "noimageindex"),
        ("max-image-preview: none", None),
        ("noarchive", None),
    ],
)
def test_x_robots_tag(value: str, directive: str | None) -> None:
    reason = disallowed_by_x_robots_tag(value, "gemscrape")
    assert reason == (directive and Reason(ReasonKind.X_ROBOTS_TAG, f"X-Robots-Tag: {directive}"))


@pytest.mark.parametrize(
    ("robots", "disallowed"),
    [
        ("", False),
        ("User-agent: *\nDisallow: /cart", False),
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", True),
        ("User-agent: *\ncontent-signal: AI-TRAIN=NO # not for models", True),
        ("User-agent: *\nContent-Signal: ai-train=yes", False),
        ("User-agent: otherbot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: otherbot\nUser-agent: GemScrape\nContent-Signal: ai-train=no", True),
        ("User-agent: gemscrape\nAllow: /\n\nUser-agent: *\nContent-Signal: ai-train=no", False),
        ("Content-Signal: ai-train=no", True),
    ],
)
def test_content_signal(robots: str, disallowed: bool) -> None:
    reason = Reason(ReasonKind.CONTENT_SIGNAL, "Content-Signal: ai-train=no")
    assert disallowed_by_content_signal(robots, "gemscrape") == (reason if disallowed else None)


@given(st.text(), st.text())
def test_any_text_is_parsed(header: str, robots: str) -> None:
    disallowed_by_x_robots_tag(header, "gemscrape")
    disallowed_by_content_signal(robots, "gemscrape")


def outcome(folder: Path, name: str) -> tuple[str, str | None]:
    row = images(folder)[f"/img/{name}"]
    return row["status"], row["reason"]


def test_an_image_that_opts_out_is_refused_unless_that_is_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Shop(products=2) as shop:
        body = shop.images["/img/gp0-1.jpg"]
        shop.replies["/img/gp0-1.jpg"] = [Reply(200, body, {"X-Robots-Tag": "noimageai"})]
        crawl(tmp_path, shop)
        assert outcome(tmp_path, "gp0-1.jpg") == ("refused", "X-Robots-Tag: noimageai")
        assert outcome(tmp_path, "gp0-2.jpg") == ("ok", None)
        summary = crawl(tmp_path, shop, respect_x_robots_tag=False)
        assert outcome(tmp_path, "gp0-1.jpg") == ("ok", None)
    assert any("crawl.shop.respect_x_robots_tag is false" in note for note in summary["notes"])
    assert "crawl.shop.respect_x_robots_tag is false" in capsys.readouterr().err, "logged at the start"


def test_a_store_that_forbids_training_is_refused_unless_that_is_switched_off(tmp_path: Path) -> None:
    with Shop(products=2, robots="User-agent: *\nContent-Signal: ai-train=no\n") as shop:
        with pytest.raises(UserError, match="Content-Signal: ai-train=no"):
            crawl(tmp_path, shop)
        assert set(shop.counts) == {"/robots.txt"}
        summary = crawl(tmp_path, shop, respect_content_signal=False)
        assert summary["added"] == 4
    assert any("crawl.shop.respect_content_signal is false" in note for note in summary["notes"])


@pytest.mark.parametrize("name", ["x_robots_tag", "content_signal"])
def test_the_former_name_of_a_setting_is_refused_with_the_new_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"crawl:\n  gempundit: {{heed_{name}: false}}\n")
    with pytest.raises(UserError) as error:
        crawl_params(path, load_site("gempundit"))
    message = f"in 'crawl.gempundit' 'heed_{name}' is now 'respect_{name}'; rename the key."
    assert str(error.value) == f"'{path}': {message}"
