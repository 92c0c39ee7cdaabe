# SPDX-License-Identifier: Apache-2.0
"""`aws-sdk:s3:putObject`: a Task state that writes an object, with the permissions of its state machine's role."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
from botocore.exceptions import ClientError, ParamValidationError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import storage
from mlops.local.stepfunctions import tasks
from mlops.local.stepfunctions.tasks import TaskFailed
from mlops.templates.sdk_names import task_member

PUT_OBJECT = "arn:aws:states:::aws-sdk:s3:putObject"


def install() -> None:
    tasks.serve(PUT_OBJECT, put_object)


def put_object(arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Write an object; a body that is not text is written as JSON."""
    members = {task_member(name): name for name in _members()}
    if unknown := sorted(set(arguments) - set(members)):
        raise TaskFailed("States.Runtime", f"The field '{unknown[0]}' is not supported by Step Functions")
    request = {members[name]: value for name, value in arguments.items()}
    body = request.get("Body", "")
    request["Body"] = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()
    try:
        storage.check_key_use(caller, request.get("SSEKMSKeyId"))
        answer = identity.session_of_role(caller).client("s3").put_object(**request)
    except ClientError as error:
        raise TaskFailed(_name(error), storage.explain(error)) from error
    except ApiError as error:
        raise TaskFailed("S3.S3Exception", error.message) from error
    except ParamValidationError as error:
        raise TaskFailed("States.Runtime", str(error)) from error
    return {task_member(name): value for name, value in answer.items() if name != "ResponseMetadata"}


def _members() -> list[str]:
    shape = botocore.session.get_session().get_service_model("s3").operation_model("PutObject").input_shape
    assert shape is not None
    return list(shape.members)


def _name(error: ClientError) -> str:
    """The error of the state: an error of its own where S3's model has one."""
    code = str(error.response["Error"]["Code"])
    return f"S3.{code}Exception" if code in ("NoSuchBucket", "EncryptionTypeMismatch") else "S3.S3Exception"
