# SPDX-License-Identifier: Apache-2.0
"""The process environment of the laptop account; ministack reads it while it is imported.

`prepare` runs before anything else of this package is imported. Nothing of the caller's own AWS settings stays, so no
call can leave this machine by accident and no function sees the host's credentials. Nor does anything else that
ministack or boto3 would read (SERVICES, USE_SSL, HTTP_PROXY …): what stays is named here.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlops.local.settings import ACCOUNT_ID, REGION

# of the user, the system and the interpreter, and what libraries for numbers read
_KEPT = {
    "HOME",
    "PATH",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "TZ",
    "LANG",
    "LANGUAGE",
    "VIRTUAL_ENV",
    "MLOPS_LOCAL_LOG_LEVEL",
    "PYTHONUTF8",
    "PYTHONHASHSEED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONWARNINGS",
    "PYTHONFAULTHANDLER",
}
_KEPT_KINDS = ("LC_", "XDG_", "LD_", "DYLD_", "MALLOC_", "OMP_", "OPENBLAS_", "COVERAGE_", "__CF")


def prepare(port: int, state: Path, persist: bool, secret_key: str) -> None:
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_KINDS):
            del os.environ[name]
    # threads of xgboost that wait for one another spin otherwise: where the cores are busy, a training takes 50 times
    # the CPU and the time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.update(
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="localhost",
        MINISTACK_ACCOUNT_ID=ACCOUNT_ID,
        MINISTACK_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_SECRET_ACCESS_KEY=secret_key,  # of the root key
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        LAMBDA_EXECUTOR="local",
        LAMBDA_ACCOUNT_CONCURRENCY="1000",  # AWS's own; gate.py keeps what is above the machine's waiting
        LOG_LEVEL=os.environ.get("MLOPS_LOCAL_LOG_LEVEL", "CRITICAL"),
        PERSIST_STATE="0",  # store.py does it
        STATE_DIR=str(state / "ministack"),
        S3_PERSIST="1" if persist else "0",
        S3_DATA_DIR=str(state / "s3"),
        # listeners and engines this account does not need
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST=f"unix://{state / 'no-docker.sock'}",
    )


def secret_key() -> str:
    """The secret access key of the account's root, in the process that `prepare` prepared."""
    return os.environ["AWS_SECRET_ACCESS_KEY"]
