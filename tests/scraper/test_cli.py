"""`gemscrape`: what its commands print."""

from tests.helpers.commands import ROOT, command


def test_sites_lists_the_known_stores() -> None:
    output = command("gemscrape", "sites", cwd=ROOT).stdout
    assert [line.split()[0] for line in output.splitlines()] == [
        "demo",
        "gempundit",
        "gempundit_published",
        "gems68",
    ]
