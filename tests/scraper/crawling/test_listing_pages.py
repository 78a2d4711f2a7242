"""The pages of a category over a whole crawl: which one comes next, and where removed products lead."""

from pathlib import Path

import pytest

from gemkit.project import Project
from scraper.crawling.plan import plan
from scraper.stores.config import load_site
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.slow import others_slow

PRODUCTS, PER_PAGE, IMAGES = 30, 2, 20
LAST = PRODUCTS // PER_PAGE


def listing(number: int) -> str:
    first = (number - 1) * PER_PAGE
    return "".join(f'<a class="product" href="/p/gp{n}">x</a>' for n in range(first, first + PER_PAGE))


def paged(previous: str, following: str, last: str = "") -> Shop:
    """A category of several pages; `{}` in a link stands for the number of the page it leads to."""
    shop = Shop(PRODUCTS, rate=500)
    shop.next = "a.page"
    shop.extra = {f"gp{n}": [f"/more/{n}-{side}.jpg" for side in range(IMAGES - 2)] for n in range(PRODUCTS)}
    shop.replies["/gems"] = [Reply(200, b'<a class="class" href="/c/ruby/1">Ruby</a>')]
    for number in range(1, LAST + 1):
        back = previous.format(number - 1) if number > 1 else ""
        on = following.format(number + 1) if number < LAST else last
        shop.replies[f"/c/ruby/{number}"] = [Reply(200, f"{back}{listing(number)}{on}".encode())]
    return shop


def discovered(folder: Path, shop: Shop) -> tuple[int, list[str]]:
    """How many images a plan of the shop finds, and its notes."""
    with shop:
        planned, summary = plan(Project(folder), load_site(folder / shop.site(folder, "concurrency = 8")))
    assert planned is not None
    return planned.statistics.distinct, [note for note in summary.notes if "leads back" in note]


#: Links to the page before and to the one after it, `{}` being its number: with and without a hint.
NAMED = [
    ('<a class="page" href="{}">a</a>', '<a class="page" rel="next" href="{}">b</a>'),
    ('<a class="page" href="{}">Previous</a>', '<a class="page" href="{}">Following</a>'),
]
UNNAMED = [
    ('<a class="page" href="{}">a</a>', '<a class="page" href="{}">b</a>'),
    (
        '<a class="page" href="1?sort=a">a</a><a class="page" href="{}">b</a>',
        '<a class="page" href="{}">c</a>',
    ),
]


@pytest.mark.parametrize(
    ("previous", "following"),
    [*(pytest.param(*pair, marks=pytest.mark.slow) for pair in NAMED), *UNNAMED],
)
def test_no_page_is_lost_where_the_selector_also_matches_previous(
    tmp_path: Path, previous: str, following: str
) -> None:
    assert discovered(tmp_path, paged(previous, following)) == (PRODUCTS * IMAGES, [])


def test_a_page_that_leads_back_is_said(tmp_path: Path) -> None:
    wrapped = paged(
        "", '<a class="page" rel="next" href="{}">b</a>', '<a class="page" rel="next" href="1">b</a>'
    )
    found, notes = discovered(tmp_path, wrapped)
    assert found == PRODUCTS * IMAGES
    assert notes == [f"page {LAST} of http://{wrapped.host}/c/ruby/1 leads back to a page already read"]


def test_two_pages_in_a_circle_end_and_are_said(tmp_path: Path) -> None:
    shop = paged('<a class="page" rel="next" href="{}">b</a>', '<a class="page" rel="next" href="{}">b</a>')
    shop.replies["/c/ruby/3"] = [
        Reply(200, f'{listing(3)}<a class="page" rel="next" href="2">b</a>'.encode())
    ]
    found, notes = discovered(tmp_path, shop)
    assert found == 3 * PER_PAGE * IMAGES and len(notes) == 1 and shop.counts["/c/ruby/2"] == 1


@pytest.mark.parametrize(
    "target",
    others_slow(
        ["/", "/de/", "/index.php", "/gems", "/gems?utm_source=x", "/c/red/1", "/search?q=gp1", "/?s=gp1"],
        *("/de/", "/gems?utm_source=x", "/c/red/1", "/search?q=gp1"),
    ),
)
def test_a_product_that_leads_elsewhere_is_gone(tmp_path: Path, target: str) -> None:
    with Shop(products=2) as shop:
        crawl(tmp_path, shop)
        shop.replies["/p/gp1"] = [Reply(302, headers={"Location": target})]
        for home in ("/", "/de/", "/index.php", "/search"):
            shop.replies[home] = [
                Reply(200, b'<h1>Welcome</h1><img src="/img/gp0-1.jpg"><img src="/logo.jpg">')
            ]
        summary = crawl(tmp_path, shop)
    rows = images(tmp_path)
    assert {path: row["status"] for path, row in rows.items()} == {
        "/img/gp0-1.jpg": "ok", "/img/gp0-2.jpg": "ok", "/img/gp1-1.jpg": "gone", "/img/gp1-2.jpg": "gone",
    }  # fmt: skip
    assert rows["/img/gp0-1.jpg"]["product_ids"] == ["gp0"]
    (reason,) = summary["pages_by_reason"]
    assert reason.startswith("gone: redirected to ")


def test_a_product_that_moved_is_read_where_it_is_now(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        raw = "/en/p/gp1-rubín".encode().decode("latin-1")  # UTF-8 as it is, as many servers send it
        shop.replies["/p/gp1"] = [Reply(301, headers={"Location": raw})]
        shop.replies["/en/p/gp1-rub%C3%ADn"] = [Reply(200, b'<img src="/img/gp1-1.jpg">')]
        shop.replies["/gems"] = [Reply(301, headers={"Location": "/en/gems"})]
        shop.replies["/en/gems"] = [Reply(200, b'<a class="class" href="/c/ruby/1">Ruby</a>')]
        summary = crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["product_ids"] == ["gp1"] and not summary["pages_by_reason"]
        shop.replies["/p/gp1"] = [Reply(301, headers={"Location": "/en/gems"})]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "gone", "the start page has moved there too"


@pytest.mark.parametrize(("path", "status"), [("/no", "gone"), ("/gp", "ok")])
def test_a_short_path_is_a_language_or_a_page(tmp_path: Path, path: str, status: str) -> None:
    with Shop(products=2) as shop:
        crawl(tmp_path, shop)
        shop.replies["/p/gp1"] = [Reply(301, headers={"Location": path})]
        shop.replies[path] = [Reply(200, b'<img src="/img/gp1-1.jpg"><img src="/img/gp1-2.jpg">')]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == status


def test_a_short_path_that_the_store_lists_is_a_product(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        listed = b'<a class="product" href="/no">x</a><a class="product" href="/p/gp1">x</a>'
        shop.replies |= {path: [Reply(200, listed)] for path in ("/c/ruby/1", "/c/red/1")}
        shop.replies["/p/gp1"] = [Reply(301, headers={"Location": "/no"})]
        shop.replies["/no"] = [Reply(200, b'<img src="/img/gp1-1.jpg">')]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "ok"


def test_a_category_that_leads_home_lends_its_name_to_nothing(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies["/c/red/1"] = [Reply(302, headers={"Location": "/"})]
        shop.replies["/"] = [Reply(200, b'<a class="product" href="/p/gp1">featured</a>')]
        crawl(tmp_path, shop)
    assert images(tmp_path)["/img/gp1-1.jpg"]["store_classes"] == ["Ruby"]


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="noai, noimageai">',
        "<META NAME=Robots CONTENT='index,NOIMAGEAI'>",
        '<meta name="gemscrape" content="noimageindex">',
        '<meta name="GemScrape" content="nofollow;noai">',
        '<meta name="Gemscrape/1.0" content="noai">',
        '<meta name="googlebot" content="all"><meta name="robots" content="noai">',
        '<template>x</template><noscript>y</noscript><meta name="robots" content="noai">',
        '<meta name="robots" content="index"><meta content="noarchive noai" name="robots">',
        '<body><p>x<table><meta name="robots" content="noml"></table>',
        '<title>a < b</title><div <p><meta name="robots" content="noai">',
    ],
)
def test_a_page_that_opts_out_in_its_html(tmp_path: Path, meta: str) -> None:
    with Shop(products=2) as shop:
        page = shop._own_reply("/p/gp1")
        shop.replies["/p/gp1"] = [Reply(200, meta.encode() + page.body)]
        summary = crawl(tmp_path, shop)
        assert set(images(tmp_path)) == {"/img/gp0-1.jpg", "/img/gp0-2.jpg"}
        assert not any("gp1" in path for path in shop.image_requests())
        (reason,) = summary["pages_by_reason"]
        assert reason.startswith("refused: meta robots: no")


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="noindex, nofollow, noarchive">',
        '<meta name="googlebot" content="noai">',
        '<meta name="googlebot" property="robots" content="noai">',
        '<meta name="gemscrapebot" content="noai">',
        '<meta name="description" content="noai">',
        '<head><noscript><meta name="robots" content="noai"></noscript></head>',
        '<body><template><div><meta name="robots" content="noai"></div></template>',
        '<body><svg><metadata><meta name="robots" content="noai"/></metadata></svg>',
        '<textarea><meta name="robots" content="noai"></textarea>',
        """<script>document.write('<meta name="robots" content="noai">')</script>""",
        '<script type="text/template"><meta name="robots" content="noai"></script>',
        '<style>/* <meta name="robots" content="noai"> */</style>',
        '<!-- <meta name="robots" content="noai"> -->',
        '<meta name="robots" content="max-image-preview:none">',
    ],
)
def test_a_page_that_says_something_else(tmp_path: Path, meta: str) -> None:
    with Shop(products=1) as shop:
        shop.replies["/p/gp0"] = [Reply(200, meta.encode() + shop._own_reply("/p/gp0").body)]
        assert crawl(tmp_path, shop)["added"] == 2


def test_an_opt_out_is_obeyed_from_the_crawl_that_sees_it_and_can_be_switched_off(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        crawl(tmp_path, shop)
        page = shop._own_reply("/p/gp1").body
        shop.replies["/p/gp1"] = [
            Reply(200, b'<meta name="robots" content="noai">' + page, {"ETag": '"new"'})
        ]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "gone", "what the page listed before is void"
        summary = crawl(tmp_path, shop, respect_x_robots_tag=False)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "ok"
        assert any("respect_x_robots_tag is false" in note for note in summary["notes"])
        shop.replies["/p/gp1"].append(Reply(304))
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "gone", "nor is what was read meanwhile"


def test_links_that_are_left_out_are_said(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        placeholder = "data:image/gif;base64,R0lGOD"
        shop.extra = {"gp0": [placeholder, placeholder], "gp1": [placeholder, "/" + "a" * 17_000]}
        for notes in (crawl(tmp_path, shop)["notes"], crawl(tmp_path, shop)["notes"]):
            assert "3 links left out: no http address" in notes
            assert "1 link left out: longer than 16,000 characters" in notes
