"""Progress on stderr."""

import pytest

from gemkit.progress import Progress


def test_nested_progress_is_shown_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("gemkit.progress.time.monotonic", lambda: float(next(clock)))
    with Progress("images", 2) as outer:
        with Progress("network", 1) as inner:
            inner.advance()
        outer.advance()
    with Progress("again", 1) as alone:
        alone.advance()
    shown = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["images", "again"]
