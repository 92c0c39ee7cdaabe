# SPDX-License-Identifier: Apache-2.0
"""A build that fails is told in its own last words."""

from pathlib import Path

import pytest
from mlops.cli.building import build
from mlops.cli.failures import Failure


def test_a_failed_build_says_why_in_one_line_and_how_to_see_more(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(Failure) as failed:
        build(tmp_path / "out", "bucket", "v1")
    why, more = failed.value.hint.splitlines()
    assert "out" in why
    assert "build-s3-dist.sh" in more
    assert "Traceback" not in failed.value.hint
