"""Write docs/cli.md, the reference of the commands, from the commands themselves.

python -m tools.write_cli_reference
"""

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/cli.md"

_MODULES = {"gemscrape": "scraper.cli", "gemcurate": "curation.cli", "gemtrain": "gemtrain.cli"}

_INTRODUCTION = """\
# The commands

Written by `python -m tools.write_cli_reference`; do not edit it. Each command and subcommand also takes `-h`.
`python -m gemscrape` is the same as `gemscrape`, and so for the others. Exit codes: 0, 2 on bad input,
3 if a store blocks the crawler or goes down, 4 if a crawl is incomplete, 130 after Ctrl-C or SIGTERM. With
`--install-completion` the shell completes commands, options, and the names of sites, datasets, recipes and
models.
"""


def reference() -> str:
    """The page as Markdown, as typer documents each command."""
    return "\n".join([_INTRODUCTION, *map(_section, _MODULES)])


def _section(command: str) -> str:
    typer = [sys.executable, "-m", "typer", _MODULES[command], "utils", "docs", "--name", command]
    lines = subprocess.run(typer, check=True, capture_output=True, text=True).stdout.splitlines()
    # One level down: the page has a title of its own.
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in lines).strip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
