"""The base of all exceptions, errors that the user can act on, and the exit codes of commands.

docs/architecture.md, "Exceptions", has the whole tree.
"""

import errno
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NoReturn

from gemkit.extras import DISTRIBUTION, extra_with

EXIT_BAD_INPUT = 2
EXIT_BLOCKED = 3
EXIT_INCOMPLETE = 4
EXIT_INTERRUPTED = 130

_DISK_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.EFBIG}


class GemscrapeError(Exception):
    """Base of every exception that this project defines.

    `kind` names the class in tables and JSON. The message is for people; code reads only attributes.
    """

    kind: ClassVar[str]

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle the attributes, without a call of `__init__`, whose arguments are not kept."""
        return _copied, (type(self), self.args), self.__dict__


def _copied(kind: type[GemscrapeError], arguments: tuple[object, ...]) -> GemscrapeError:
    return kind.__new__(kind, *arguments)


class UserError(GemscrapeError):
    """Bad input. The message is one sentence that names the file, key or URL and says what to do."""

    kind = "bad_input"
    exit_code = EXIT_BAD_INPUT


def did_you_mean(name: str, kind: str, names: Sequence[str]) -> str:
    """The end of a message about an unknown name: the one of `names` closest to it, and all of them.

    `kind` says in the plural what they name.
    """
    from difflib import get_close_matches

    if not names:
        return f"; there are no {kind}"
    closest = get_close_matches(name, names, n=1)
    guess = f"did you mean '{closest[0]}'? The" if closest else "the"
    return f"; {guess} {kind} are {', '.join(names)}"


class MissingExtra(UserError):
    """A library is not installed that one of the extras installs."""

    kind = "missing_extra"

    def __init__(self, user: str, extra: str, module: str):
        super().__init__(
            f"{user} needs the extra '{extra}'; install it with: pip install '{DISTRIBUTION}[{extra}]'"
        )
        self.user, self.extra, self.module = user, extra, module


@contextmanager
def needs_extra(user: str, package: str) -> Iterator[None]:
    """Name the extra that `user`, which belongs to this package or command, needs when a library is missing.

    Raises MissingExtra; a module that no extra installs stays a ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = extra_with(module, package)
        if extra is None:
            raise
        raise MissingExtra(user, extra, module) from None


def _running_command() -> list[str]:
    """The words `gemcurate` and `clean`, also for `python -m gemcurate clean`."""
    script = Path(sys.argv[0])
    return [script.parent.name if script.stem == "__main__" else script.stem, *sys.argv[1:2]]


def run_command(app: Callable[[], object]) -> NoReturn:
    """Run a typer app. What the user can mend (bad input, a missing extra, a full disk) exits with 2, Ctrl-C
    with 130, without a traceback.
    """
    words = _running_command()
    try:
        with needs_extra(f"'{' '.join(words)}'", words[0]):
            app()
    except UserError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail_interrupted()
    except SystemExit as end:  # typer always exits this way, also after Ctrl-C
        if end.code == EXIT_INTERRUPTED:
            _fail_interrupted()
        raise
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        where = f" '{error.filename}'" if error.filename else ""
        _fail(
            f"Cannot write{where}: {error.strerror}. Free or unlock the disk and run the same command again; "
            "finished work is kept.",
            EXIT_BAD_INPUT,
        )
    sys.exit(0)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does. It also ends a container's first process then."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _fail_interrupted() -> NoReturn:
    _fail("Interrupted; finished work is kept. Run the same command to continue.", EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    # A second Ctrl-C while worker processes shut down must not print a traceback after the message.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(code)
