# SPDX-License-Identifier: Apache-2.0
"""The SageMaker SDK: programs in tests/sdk/programs, run with the Python of its own environment, which `make` makes.

A program reads one JSON value from its standard input and writes one to its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from mlops.source_tree import ROOT

from tests.support.environments import without_aws
from tests.support.installed import Installed
from tests.support.laptop import Account

ENVIRONMENT = ROOT / ".venv-sdk"
PROGRAMS = ROOT / "tests" / "sdk" / "programs"
ENVIRONMENT_OF_THE_SDK = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(PROGRAMS / "config.yaml"),
}


def installed() -> Path:
    """The Python that has the SDK. Waits as long as `make pytest`, which installs the SDK meanwhile, says."""
    deadline = time.monotonic() + float(os.environ.get("WAIT_FOR_SDK", "0"))
    while not (ENVIRONMENT / ".ready").exists():
        assert time.monotonic() < deadline, f"the SageMaker SDK is not installed: make {ENVIRONMENT.name}/.ready"
        time.sleep(0.2)
    return ENVIRONMENT / "bin" / "python"


def ask(python: Path, program: str, given: Any = None, seconds: float = 120, **environment: str) -> Any:
    """What a program answers."""
    done = subprocess.run(
        [python, "-W", "ignore", PROGRAMS / f"{program}.py"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**without_aws(), **ENVIRONMENT_OF_THE_SDK, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def account(running: Account | Installed) -> dict[str, str]:
    """The environment that leads the SDK to an account on this laptop."""
    credentials = running.session.get_credentials()
    assert credentials is not None
    return {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
    }
