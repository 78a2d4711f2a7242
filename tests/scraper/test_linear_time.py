"""Text of strangers is parsed in a time that grows no faster than its length."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from scraper.crawling.page_request import breaks_off
from scraper.http.challenge import is_challenge
from scraper.http.headers import joined
from scraper.http.opt_out import disallowed_by_content_signal, disallowed_by_x_robots_tag
from scraper.http.retry_after import parse_retry_after
from scraper.http.robots import Robots
from scraper.http.transport import Response
from scraper.http.urls import file_name, url_key
from scraper.http.wire.deadline import Deadline
from scraper.http.wire.head import read_head
from scraper.http.wire.stream import Stream
from scraper.stores.config import HtmlSite
from scraper.stores.document import Document
from scraper.stores.html_store import parse_html
from scraper.stores.page_digest import page_digest
from scraper.stores.page_words import saying
from scraper.stores.records import Role, tidy

URL = "https://shop.example/"

SITE = HtmlSite.model_validate(
    {
        "name": "shop",
        "title": "Shop",
        "start_url": URL,
        "page_hosts": ["shop.example"],
        "image_hosts": ["shop.example"],
        "categories": {"card": ".card, li", "link": "a", "name": "h2"},
        "pagination": {"page": "{category}/{number}", "last": "li", "probe": 9},
        "products": {"link": "li a"},
        "product": {
            "id": {"read": "json-ld", "key": "sku"},
            "title": {"read": "css", "selector": "h1"},
            "attributes": {"row": "tr", "name": "th", "value": "td"},
        },
        "images": [
            {"read": "json-ld", "key": "image"},
            {"read": "css", "selector": "li img", "attribute": "src"},
        ],
    }
)

#: What a text repeats: an expression that backtracks, or a search that starts anew, shows on one of these.
MARKS = [
    *(
        " ",
        "\n",
        "\0",
        "a",
        "1",
        "é",
        "<",
        ">",
        '"',
        "&",
        "(",
        "%",
        "=",
        ":",
        ";",
        ",",
        ".",
        "/",
        "*",
        "+",
        "Mon, ",
    ),
]
URL_PARTS = ["../", "a/../", "%41", "?", "#", "\\", "@", "[", "-", "a=b&", ";jsessionid=", ";jsessionid=a/"]
TAGS = [
    *("<title>", "<title> ", "</title", "<!--", "<meta x ", "<meta charset=", '<a href="', "<div>", "<h1>x"),
    *("<div></span>", "<pre>", "<ul><li>1", "<li>1</li>", "<table><tr><th>x<td>y"),
    *("&#1;", "<a:b c:d=e>", "<b><p>"),
    *("<div class=card><a href=x><h2>y</h2>", "<script type='application/ld+json'>["),
]


def page(role: Role) -> Callable[[str], object]:
    return lambda text: parse_html(SITE, role, Document(URL, text.encode()))


def challenge(text: str) -> object:
    return is_challenge(Response(URL, 200, {}, f"<title>{text}x".encode()), instead_of_image=True)


def robots(text: str) -> object:
    rules = f"User-agent: *\nDisallow: /{text}x$\nCrawl-delay: {text}\n{text}"
    loaded = Robots.from_response(Response(URL, 200, {}, rules.encode()), True)
    return loaded.crawl_delay, loaded.disallowed_by(URL + "a" * 1000)


def many_rules(text: str) -> object:
    rules = "User-agent: *\n" + f"Disallow: /{text[:30]}*{text[:30]}$\n" * (len(text) // 30)
    return Robots.from_response(Response(URL, 200, {}, rules.encode()), True).disallowed_by(URL + text[:2000])


def many_agents(text: str) -> object:
    count = len(text) // 20
    names = "".join(f"User-agent: {number}\n" for number in range(count))
    return disallowed_by_content_signal(names + "Content-Signal: ai-train=no\n" * count, "gemscrape")


def head(lines: str) -> object:
    """A head as it arrives at a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode())
        return joined(read_head(Stream(ours, Deadline(60))).lines)


def json_ld(text: str) -> object:
    product = f'{{"@type": "Product", "sku": {text}, "image": "{text}"}}'
    return page("product")(f'<script type="application/ld+json">{product}</script>')


def attributes(text: str) -> object:
    names = " ".join(f"a{number}=x" for number in range(len(text) // 8))
    return page("product")(f'<div {names} class="{text}" {text}>')


PARSERS: dict[str, tuple[Callable[[str], object], list[str]]] = {
    "start page": (page("start"), TAGS),
    "category page": (page("category"), TAGS),
    "product page": (page("product"), [*MARKS, *TAGS]),
    "meta": (lambda text: Document(URL, text.encode()).meta, TAGS),
    "digest": (lambda text: page_digest(Document(URL, text.encode()), f"{URL}a/b"), [*MARKS, *TAGS]),
    "words": (lambda text: saying(Document(URL, text.encode())), [*MARKS, *TAGS]),
    "end of a page": (lambda text: breaks_off(text.encode()), MARKS),
    "JSON-LD": (json_ld, MARKS),
    "attributes": (attributes, MARKS[:10]),
    "challenge": (challenge, [*MARKS, *TAGS]),
    "robots.txt": (robots, MARKS),
    "many rules": (many_rules, MARKS),
    "many agents": (many_agents, [" "]),
    "X-Robots-Tag": (lambda text: disallowed_by_x_robots_tag(text, "gemscrape"), MARKS),
    "Retry-After": (parse_retry_after, MARKS),
    "Retry-After date": (lambda text: parse_retry_after(f"Mon, 01 Jan 2024 {text}"), MARKS),
    "header": (lambda text: head(f"x: {text}\r\n{text}: x\r\n"), MARKS),
    "length": (lambda text: head(f"Content-Length: {text}\r\n"), MARKS),
    "tidy": (tidy, MARKS),
    "URL path": (lambda text: file_name(url_key(URL + text) or URL), [*MARKS, *URL_PARTS]),
    "URL query": (lambda text: url_key(f"{URL}?{text}"), [*MARKS, *URL_PARTS]),
    "URL host": (lambda text: url_key(f"https://{text}.example/"), [*MARKS, *URL_PARTS]),
    "URL port": (lambda text: url_key(f"https://shop.example:{text}/"), MARKS),
    "link": (lambda text: url_key(text, URL), [*MARKS, *URL_PARTS]),
}


def seconds(parse: Callable[[str], object], text: str) -> float:
    """CPU time of this thread; what the parser raises is its answer."""
    started = time.thread_time()
    with suppress(Exception):
        parse(text)
    return time.thread_time() - started


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.heavy if name.endswith("page") else ()) for name in PARSERS],
)
def test_time_grows_with_the_length(name: str) -> None:
    """Eight times the length takes eight times as long, up to noise; 64 times where time is quadratic."""
    parse, parts = PARSERS[name]
    for part in parts:
        short, long = (part * (size // len(part)) for size in (1_500, 12_000))
        times = [(seconds(parse, short), seconds(parse, long))]
        while (slow := min(y for _, y in times)) > max(0.02, 24 * min(x for x, _ in times)):
            assert len(times) < 4, f"{part!r}: {times}"
            times.append((seconds(parse, short), slow if slow > 5 else seconds(parse, long)))
