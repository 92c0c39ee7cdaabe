# SPDX-License-Identifier: Apache-2.0
"""What `pip install` installs works without the checkout: the wheel, alone in an environment of its own."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from mlops.source_tree import CACHE, ROOT

TRAINING = "blueprints/model_training/examples/model_training_builtin.json"


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=True, timeout=280)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (found,) = folder.glob("*.whl")
    return found


def environment(folder: Path) -> Path:
    """A virtual environment that has nothing."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def require(python: Path) -> None:
    """Let an environment have the packages that the environment of the tests has."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    # A .pth file's folder comes last, and what .pth files are in it is not read: not the editable checkout's.
    (packages / "required.pth").write_text(sysconfig.get_path("purelib"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, with the packages it requires taken from the environment of the tests."""
    python = environment(tmp_path_factory.mktemp("environment"))
    pip("--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    require(python)
    return python


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A current folder from which nothing of the checkout is found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.delenv("PYTHONPATH", raising=False)
        yield tmp_path


def mlops(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python.with_name("mlops"), *arguments], capture_output=True, text=True, timeout=120)


def imported() -> set[str]:
    """The top-level modules that the installed packages import, wherever they do, except for types."""
    packages = [*(ROOT / "source" / "mlops").rglob("*.py"), *(ROOT / "orchestrator").rglob("*.py")]
    nodes = [node for path in packages for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in names if not name.startswith("mypy_boto3_")} - sys.stdlib_module_names


def test_every_package_that_is_imported_is_declared() -> None:
    """None comes only with another one, which might do without it tomorrow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    providers = {name: {one.lower() for one in found} for name, found in packages_distributions().items()}
    missing = {name for name in imported() - {"mlops", "chalicelib"} if not declared & providers.get(name, set())}
    assert not missing


def test_the_orchestrators_zip_has_the_versions_that_are_tested() -> None:
    shipped, tested = (
        dict(re.findall(r"^([\w-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))
        for path in (ROOT / "orchestrator" / "requirements.txt", ROOT / "requirements.txt")
    )
    assert shipped
    assert shipped.items() <= tested.items()


@pytest.mark.usefixtures("outside")
def test_it_is_the_wheel_that_is_run(installed: Path) -> None:
    where = "import chalicelib, mlops.source_tree as tree; print(chalicelib.__file__, tree.__file__, tree.BLUEPRINTS)"
    printed = subprocess.run([installed, "-c", where], capture_output=True, text=True, check=True).stdout
    assert all(str(installed.parents[1]) in path for path in printed.split()), printed


@pytest.mark.usefixtures("outside")
def test_it_has_the_commands_and_the_pipeline_types(installed: Path) -> None:
    assert "provision" in mlops(installed, "--help").stdout
    listed = json.loads(mlops(installed, "types", "--json").stdout)
    assert "model_training_builtin" in json.dumps(listed)


@pytest.mark.usefixtures("outside")
def test_it_checks_a_request(installed: Path) -> None:
    assert mlops(installed, "validate", "--offline", str(ROOT / TRAINING)).returncode == 0
    refused = mlops(installed, "validate", "--offline", str(ROOT / "pyproject.toml"))
    assert refused.returncode == 1, refused.stdout


def test_it_starts_an_account_with_what_it_built(installed: Path, outside: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own["XDG_CACHE_HOME"] = str(outside / "cache")
    (outside / "cache").mkdir()
    (outside / "cache" / "mlops-orchestrator").symlink_to(CACHE)  # what is downloaded already
    up = [installed.with_name("mlops"), "local", "up", "--json", "--port", "0"]
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True, env=own) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        environment = own | {
            "AWS_ENDPOINT_URL": ready["aws_endpoint_url"],
            "AWS_REGION": ready["region"],
            "AWS_ACCESS_KEY_ID": ready["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": ready["secret_access_key"],
        }
        command = [installed.with_name("mlops"), "list", "--json"]
        listed = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)["pipelines"] == []


@pytest.mark.usefixtures("outside")
def test_an_editable_install_is_the_checkout(tmp_path: Path) -> None:
    """As `make setup` makes it: built with what the requirements have."""
    python = environment(tmp_path / "environment")
    require(python)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    pip("--python", str(python), "install", *options, "--editable", str(ROOT))
    where = "import chalicelib, mlops.source_tree as tree; print(tree.ROOT, chalicelib.__file__)"
    printed = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout
    assert all(path.startswith(str(ROOT)) for path in printed.split()), printed


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("outside")
def test_what_it_requires_is_declared(wheel: Path, tmp_path: Path) -> None:
    """With the package index: nothing but the wheel is named, and the story of the demo is told."""
    python = environment(tmp_path / "environment")
    pip("--python", str(python), "install", "--quiet", str(wheel))
    done = subprocess.run([python, "-m", "mlops.demo"], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "Done." in done.stdout
