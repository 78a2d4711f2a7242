"""Limits of a site: which hosts its patterns allow."""

from scraper.http.limits import host_matches


def test_allowed_hosts() -> None:
    patterns = ["shop.test", "*.cdn.test", "127.0.0.1:8000"]
    assert host_matches("SHOP.test", patterns) and host_matches("a.b.cdn.test", patterns)
    assert host_matches("127.0.0.1:8000", patterns)
    for host in (
        "cdn.test",
        "evilshop.test",
        "shop.test.evil",
        "xcdn.test",
        "127.0.0.1",
        "shop.test:8080",
        "",
    ):
        assert not host_matches(host, patterns)
