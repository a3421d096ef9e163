"""What a user installs: the wheel and its dependencies, nothing of the developer's machine."""

import re
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without any network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def required(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """The names of all distributions that this one needs at run time on this machine."""
    found = {name}
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        wanted = [{"extra": extra} for extra in (extras or {""})]
        if requirement.marker is None or any(requirement.marker.evaluate(extra) for extra in wanted):
            found |= required(requirement.name, frozenset(requirement.extras))
    return found


def test_the_wheel_holds_the_package_and_its_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {"custimport/py.typed", "custimport/store/embedded/guard.py", "custimport/cli/app.py"} <= names
    assert not [name for name in names if name.startswith(("tests", "bench", "docs"))]


def test_the_installed_wheel_needs_no_development_package(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with the wheel and links to what it requires, so that no package index is asked."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    for name in required("custimport") - {"custimport"}:
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top != ".." and not (packages / top).exists():
                (packages / top).symlink_to(str(distribution(name).locate_file(top)))
    customers = tmp_path / "customers.csv"
    customers.write_text("full_name,email,date_of_birth,timezone\nAlice,alice@example.com,1990-01-15,Europe/Paris\n")
    python = str(environment / "bin" / "python")

    shown = subprocess.run(
        [python, "-I", "-m", "custimport", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    checked = subprocess.run(
        [python, "-I", "-m", "custimport", "check", "customers.csv", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    refused = subprocess.run(
        [
            python,
            "-I",
            "-m",
            "custimport",
            "imports",
            "list",
            "--uri",
            "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "custimport" in shown.stdout
    assert '"inserted": 1' in checked.stdout
    assert refused.returncode == 8, refused.stderr


def test_every_package_of_the_set_up_is_pinned() -> None:
    """Generated docs, lint and tests give the same result tomorrow."""
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in pins}
    needed = {canonicalize_name(name) for name in required("custimport", frozenset({"embedded"}))}
    assert needed - pinned == {"custimport"}
