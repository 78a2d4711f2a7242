"""A page as Chromium shows it."""

import shutil
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")


FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


class Visit:
    """A page opened in Chromium, with all that it said and asked for."""

    def __init__(self, page: Any, path: Path):
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(path.as_uri())
        self.outside = [url for url in self.asked if not url.startswith("data:") and url != path.as_uri()]
