"""The commands `taxonomy find` and `taxonomy check`."""

from pathlib import Path

from tests.helpers.commands import called


def test_find_and_check(workspace: Path) -> None:
    assert "varieties" in called("gemcurate", "taxonomy", "check", cwd=workspace).stdout
    said = called("gemcurate", "taxonomy", "find", "burmese ruby", cwd=workspace).stdout
    assert all(word in said for word in ("Myanmar", "Corundum", "1.757 to 1.779", "states the region"))
    said = called("gemcurate", "taxonomy", "find", "Colombian Emrald", cwd=workspace).stdout
    assert "spelling of 'Colombian Emerald'" in " ".join(said.split())
    said = called("gemcurate", "taxonomy", "find", "Rubi", cwd=workspace, expect=2).stderr
    assert "'Rubi' is not in" in said
    assert said.count("'") == 10 and "'Ruby'" in said
    said = called("gemcurate", "taxonomy", "find", "Navratna", cwd=workspace, expect=2).stderr
    assert "a set of nine" in said
    said = called("gemcurate", "taxonomy", "find", "Ruby / Red Spinel", cwd=workspace, expect=2).stderr
    assert "stands for several varieties: Red Spinel, Ruby." in " ".join(said.split())


def test_check_lists_each_finding_and_exits_with_2(workspace: Path) -> None:
    with (workspace / "labels/taxonomy.toml").open("a") as file:
        file.write('[variety.a]\nname = "Ruby"\nspecies = "corundum"\nmohs = [9, 12]\n')
    said = called("gemcurate", "taxonomy", "check", cwd=workspace, expect=2).stderr
    assert "'Ruby' also stands for variety.ruby" in said
    assert "has 2 findings; correct them." in said


def test_one_finding_is_counted_as_one(workspace: Path) -> None:
    with (workspace / "labels/taxonomy.toml").open("a") as file:
        file.write('[variety.a]\nname = "Ruby"\nspecies = "corundum"\n')
    said = called("gemcurate", "taxonomy", "check", cwd=workspace, expect=2).stderr
    assert "has 1 finding; correct it." in said
