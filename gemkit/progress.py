"""Show the progress of work that takes over two seconds: a bar on a terminal, lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_SILENT_SECONDS = 2.0


class Progress:
    """`with Progress("measure", total) as progress: progress.advance()`; `total` is None if unknown.

    `note` is a short text after the numbers that the caller may change (a host's rate limit, a loss). When
    stderr is not a terminal, a line is printed every `line_seconds`. A Progress inside another one is silent.
    """

    _entered = 0

    def __init__(self, name: str, total: int | None = None, unit: str = "images", line_seconds: float = 10.0):
        self.name, self.total, self.unit, self.note = name, total, unit, ""
        self._line_seconds = line_seconds
        self.done = 0
        self._start = self._last_line = time.monotonic()
        self._bar: Any = None
        self._is_inner = False
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        self._is_inner = Progress._entered > 0
        Progress._entered += 1
        return self

    def advance(self, count: int = 1) -> None:
        """Count `count` more items as done, and update the display when it is due."""
        self.done += count
        now = time.monotonic()
        if self._is_inner or now - self._start < _SILENT_SECONDS:
            return
        if self._terminal:
            self._update_bar()
        elif now - self._last_line >= self._line_seconds:
            self._last_line = now
            print(self._line(now), file=sys.stderr, flush=True)

    def _update_bar(self) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                redirect_stdout=sys.stdout.isatty(),  # otherwise output for a file would go to the terminal
            )
            self._bar.start()
            self._task = self._bar.add_task(self.name, total=self.total, rate="", note="")
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        self._bar.update(
            self._task,
            completed=self.done,
            total=self.total,
            rate=f"{rate:.1f} {self.unit}/s",
            note=self.note,
        )

    def _line(self, now: float) -> str:
        rate = self.done / max(now - self._start, 1e-9)
        line = f"{self.name}: {self.done}"
        if self.total is not None:
            left = (self.total - self.done) / rate if rate else float("inf")
            line += f"/{self.total} {self.unit}, {rate:.1f}/s, {_duration(left)} left"
        else:
            line += f" {self.unit}, {rate:.1f}/s"
        return f"{line}; {self.note}" if self.note else line

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Progress._entered -= 1
        if self._bar is not None:
            self._bar.stop()


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
