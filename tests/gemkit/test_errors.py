"""How commands end: exit codes and one-line messages."""

import errno

import pytest

from gemkit.errors import UserError, run_command


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("'a.toml' is empty."), 2, "error: 'a.toml' is empty.\n"),
        (KeyboardInterrupt(), 130, "error: Interrupted; "),
        (SystemExit(130), 130, "error: Interrupted; "),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.txt"),
            2,
            "error: Cannot write 'a.txt': No space",
        ),
        (SystemExit(3), 3, ""),
    ],
)
def test_commands_end_with_an_exit_code_and_a_message(
    error: BaseException,
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gemkit.errors.signal.signal", lambda *_: None)

    def app() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run_command(app)
    assert end.value.code == code
    assert capsys.readouterr().err.startswith(message)


def test_other_errors_keep_their_traceback() -> None:
    def app() -> None:
        raise OSError(errno.ENOENT, "No such file or directory")

    with pytest.raises(OSError, match="No such file"):
        run_command(app)
