"""Why something was not fetched, as fields: the kind for code, the text for people."""

from dataclasses import dataclass, field

from scraper.tables import ImageStatus, ReasonKind

#: Reasons that name a host, without it.
_WITHOUT_HOST = {
    ReasonKind.HOST_NOT_ALLOWED: "host is not allowed",
    ReasonKind.PRIVATE_ADDRESS: "host has a private address",
}


@dataclass(frozen=True)
class Reason:
    """Why a request, an image or a host failed.

    `http_status` is the status code of the response, if any; a reason read from a table has none.
    """

    kind: ReasonKind
    text: str
    http_status: int | None = field(default=None, compare=False)

    @classmethod
    def of_status(cls, status: int) -> "Reason":
        """The response's status code is the reason."""
        return cls(ReasonKind.HTTP_STATUS, f"HTTP {status}", status)

    @classmethod
    def stored(cls, kind: str | None, text: str | None) -> "Reason | None":
        """A reason from the columns `reason_kind` and `reason`."""
        return None if text is None else cls(ReasonKind(kind or ReasonKind.UNKNOWN), text)

    @property
    def is_server_error(self) -> bool:
        """Whether the response had a 5xx status."""
        return self.http_status is not None and 500 <= self.http_status < 600

    @property
    def general(self) -> str:
        """The text without the name of a host."""
        return _WITHOUT_HOST.get(self.kind, self.text)

    def __str__(self) -> str:
        return self.text


#: What came in place of an image or a page, or of all of it; hosts in trouble send it too.
DOUBTFUL = {
    ReasonKind.EMPTY,
    ReasonKind.HTML_INSTEAD_OF_IMAGE,
    ReasonKind.TEXT_INSTEAD_OF_IMAGE,
    ReasonKind.TRUNCATED,
    ReasonKind.NOTHING_LISTED,
}

#: Reasons for which the next crawl may have better luck, whatever the status.
TEMPORARY = {ReasonKind.ROBOTS_UNREADABLE, *DOUBTFUL}


@dataclass(frozen=True)
class Outcome:
    """How an image URL or a page ended; `reason` is None if it is ok."""

    status: ImageStatus
    reason: Reason | None = None

    @classmethod
    def of_failure(cls, reason: Reason) -> "Outcome":
        """How a URL ended that got no usable response."""
        return cls(ImageStatus.INVALID if reason.kind in DOUBTFUL else ImageStatus.FAILED, reason)

    @property
    def is_failure(self) -> bool:
        """Whether there was no usable response."""
        kind = None if self.reason is None else self.reason.kind
        return self.status == ImageStatus.FAILED or kind in DOUBTFUL

    @property
    def is_temporary(self) -> bool:
        """Whether the next crawl may have better luck."""
        kind = None if self.reason is None else self.reason.kind
        return self.status == ImageStatus.FAILED or kind in TEMPORARY

    @property
    def columns(self) -> dict[str, str | None]:
        """The values of the columns `status`, `reason` and `reason_kind`."""
        reason = self.reason
        return {
            "status": self.status,
            "reason": None if reason is None else reason.text,
            "reason_kind": None if reason is None else reason.kind,
        }

    @property
    def general(self) -> str:
        """Status and reason as text, without the name of a host."""
        return f"{self.status}: {None if self.reason is None else self.reason.general}"

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


OK = Outcome(ImageStatus.OK)
