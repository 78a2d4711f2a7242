"""Open a page in Chromium."""

import shutil
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")


FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


class Visit:
    """A page opened in Chromium, with its console messages, errors and dialogs, and its requests."""

    def __init__(self, page: Any, path: Path):
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: (self.messages.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        self.external_requests = [
            url for url in self.requests if not url.startswith("data:") and url != path.as_uri()
        ]
