# SPDX-License-Identifier: Apache-2.0
"""A build that fails says why."""

from pathlib import Path

import pytest
from mlops.cli.building import build
from mlops.cli.failures import Failure


def test_a_failed_build_says_why_in_one_line_and_how_to_see_more(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(Failure) as failed:
        build(tmp_path / "out", "bucket", "v1")
    assert "out" in failed.value.message
    assert "mlops.deploy.build" in failed.value.hint
    assert len((failed.value.message + failed.value.hint).splitlines()) == 1
