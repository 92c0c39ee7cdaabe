# SPDX-License-Identifier: Apache-2.0
"""/opt/ml for one process: mounted as root, or as any user in a namespace of its own; and what is done without it."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlops.local.containers.scripts.home import Home

PROGRAM = """
import sys
from pathlib import Path
from mlops.local.containers.scripts import home
tree, flags = Path(sys.argv[1]), int(sys.argv[2])
if why := home._tried(tree, flags):
    sys.exit(why)
home._mount(tree, flags)
Path("/opt/ml/written").write_text("by the script")
print(*sorted(path.name for path in Path("/opt").iterdir()))
"""
NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000


@pytest.mark.parametrize("flags", [NEW_MOUNTS, NEW_MOUNTS | NEW_USER], ids=["as root", "as any user"])
def test_the_tree_is_at_opt_ml_for_one_process_only(tmp_path: Path, flags: int) -> None:
    before = {path.name for path in Path("/opt").iterdir()} if Path("/opt").is_dir() else set()
    tree = tmp_path / "ml"
    tree.mkdir()
    ran = subprocess.run([sys.executable, "-c", PROGRAM, tree, str(flags)], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"this machine does not mount it so: {ran.stderr.strip()}")
    assert (tree / "written").read_text() == "by the script"
    assert set(ran.stdout.split()) == before | {"ml"}
    after = {path.name for path in Path("/opt").iterdir()}
    assert after == before


def test_without_it_paths_are_rewritten_and_a_reason_says_so() -> None:
    mounted, elsewhere = Home(Path("/opt/ml")), Home(Path("/tmp/job/ml"), "only Linux can")
    given = ["--in", "/opt/ml/processing/in", "/opt/ml", "/opt/mlflow", "s3://b/opt/ml/x"]
    assert mounted.arguments(given) == given
    assert elsewhere.arguments(given) == ["--in", "/tmp/job/ml/processing/in", "/tmp/job/ml", "/opt/mlflow", given[-1]]
    reason = "FileNotFoundError: '/opt/ml/model/x'"
    assert "(only Linux can)" in elsewhere.note(reason)
    assert (mounted.note(reason), elsewhere.note("KeyError: 'x'")) == ("", "")
