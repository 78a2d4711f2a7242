"""Reading link lists."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemkit.errors import UserError
from scraper.stores.config import LinkFile
from scraper.stores.link_list import read_links
from scraper.stores.records import Link

A, B = "http://cdn.test/gp1-1.jpg", "http://cdn.test/gp1-2.jpg"


def written(folder: Path, content: bytes, name: str = "list.csv") -> LinkFile:
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return LinkFile(links=folder / name)


@pytest.mark.parametrize("name", ["list.csv", "list.csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_list_from_any_program_is_read(tmp_path: Path, name: str, end: str) -> None:
    lines = [
        '\ufeffnote,"image_url", class ,price',
        f'"nice, but\nused",{A}, Ruby  (Manik) ,7',
        "",
        ',HTTP://CDN.test:80/gp1-2.jpg#x,"Opal ""white"" ✨",',
        f"x,{B},Ruby (Manik)",
    ]
    found = read_links(written(tmp_path, end.join(lines).encode(), name))
    assert found.links == [Link("Ruby (Manik)", A), Link('Opal "white" ✨', B), Link("Ruby (Manik)", B)]
    assert found.notes == []


def test_unusable_lines_are_counted_and_named(tmp_path: Path) -> None:
    lines = [
        b"class,image_url",
        b"Ruby," + A.encode(),
        b"Ruby",
        b"," + A.encode(),
        b"Ruby,",
        b"Ruby,javascript:alert(1)",
        b"R\xfcby," + A.encode(),
        b"Ruby,http://cdn.test/a,b.jpg",
        b"Ruby,ftp://cdn.test/a.jpg",
        b'Ruby,"http://cdn.test/never-closed.jpg',
        b"Opal," + B.encode(),
        b"Ruby," + b"x" * 200_000,
        b"Opal," + A.encode(),
    ]
    file = written(tmp_path, b"\n".join(lines))
    found = read_links(file)
    assert [link for link in found.links if "never" not in link.image_url] == [
        Link("Ruby", A), Link("Opal", B), Link("Opal", A),
    ]  # fmt: skip
    output = "\n".join(found.notes)
    for part in (
        "lines skipped with too few cells: 2, the first is line 3",
        "lines skipped without a class: 1, the first is line 4",
        "lines skipped without an image URL: 1, the first is line 5",
        "lines skipped whose URL is not an http or https address: 2, the first is line 6",
        "lines skipped not in UTF-8: 1, the first is line 7",
        "lines skipped with too many cells: 1, the first is line 8",
    ):
        assert part in output, output
    assert len(found.notes) == 6 and all(str(file.links) in note for note in found.notes)


def test_a_stray_quote_swallows_no_lines(tmp_path: Path) -> None:
    lines = ["class,image_url,note", f'Ruby,{A},"5 inch'] + [
        f"Opal,http://cdn.test/{n}.jpg," for n in range(99)
    ]
    for last in ('Ruby,http://cdn.test/z.jpg,"6 inch', f"Ruby,{B},"):
        found = read_links(written(tmp_path, "\n".join([*lines, last]).encode()))
        assert len(found.links) == 101 and found.notes == []


@given(
    st.lists(
        st.sampled_from([b"Ruby", A.encode(), b",", b'"', b"\n", b"\r", b"\xff", b"\0", b" ", b"http://["])
    )
)
@example([b"\0", b",", A.encode()])
def test_any_bytes_are_read_or_refused(parts: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        file = written(Path(folder), b"class,image_url\n" + b"".join(parts))
        try:
            found = read_links(file)
        except UserError as error:
            assert "contains no usable link" in str(error)
        else:
            assert all(link.store_class and link.image_url.isascii() for link in found.links)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "has no column 'class' in its first line \\(found nothing\\)"),
        ("a.csv", b"class;image_url\nRuby;http://x/y", "no column 'class'.*'class;image_url'"),
        ("a.csv", b"class,url\nRuby,http://x/y", "no column 'image_url'"),
        ("a.csv", "class,image_url\nRuby,http://x/y".encode("utf-16"), "no column 'class'"),
        ("a.csv", b"class,image_url\n", "contains no usable link"),
        ("a.csv", b"class,image_url\nRuby,\n", "no usable link; .*: lines skipped without an image URL: 1"),
        ("a.csv.gz", b"class,image_url\nRuby,http://x/y", "damaged or truncated"),
        (
            "a.csv.gz",
            gzip.compress(b"class,image_url\n" + b"Ruby,http://x/y\n" * 999, mtime=0)[:-20],
            "damaged or truncated",
        ),
        ("b.csv", None, "does not exist"),
        ("folder.csv", None, "cannot be read: Is a directory"),
    ],
)
def test_an_unreadable_list(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_links(LinkFile(links=tmp_path / name))
    assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).isprintable()
