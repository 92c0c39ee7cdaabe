# SPDX-License-Identifier: Apache-2.0
"""The process environment of the laptop account; ministack reads it while it is imported.

`prepare` runs before anything else of this package is imported. Nothing of the caller's own AWS settings
stays behind, so no call can leave this machine by accident and no function sees the host's credentials.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlops.local.settings import ACCOUNT_ID, REGION


def prepare(port: int, state: Path, persist: bool, secret_key: str) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "LAMBDA_", "_LAMBDA_", "PYTHONPATH")):
            del os.environ[name]
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
        LAMBDA_EXECUTOR="local",
        LAMBDA_ACCOUNT_CONCURRENCY="1000",  # AWS's own; gate.py keeps what is above the machine's waiting
        LOG_LEVEL=os.environ.get("MLOPS_LOCAL_LOG_LEVEL", "CRITICAL"),
        PERSIST_STATE="1" if persist else "0",
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
