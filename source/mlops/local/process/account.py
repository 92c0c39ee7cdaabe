# SPDX-License-Identifier: Apache-2.0
"""Puts the account together: our services into ministack, the rules it lacks, isolated functions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from mlops.local import environment
from mlops.local.cloudformation import permissions, resources, roles
from mlops.local.cloudformation import rules as stack_rules
from mlops.local.functions import isolation
from mlops.local.kit import unsupported
from mlops.local.kit.api import Api
from mlops.local.ministack import (
    cloudformation,
    conditions,
    context,
    iam,
    router,
    signatures,
    stack_records,
    state,
    stepfunctions,
)
from mlops.local.ministack import s3 as buckets
from mlops.local.services import cloudwatch, events, s3, s3_tasks
from mlops.local.settings import CUT_OFF, REGION
from mlops.local.state.store import Disk
from mlops.local.stepfunctions import rules as state_machine_rules
from mlops.local.stepfunctions import tasks


def assemble(directory: Path) -> None:
    """Once, after the modules of our services are imported and before the first request."""
    ours = _by_signing_name()
    for signing_name, apis in ours.items():
        router.serve(signing_name, _one_of(apis))
        iam.leave_authorization_to(signing_name)
    resources.install()
    tasks.install()
    roles.install()
    stack_rules.install()
    state_machine_rules.install()
    s3.install()
    s3_tasks.install()
    events.install()
    permissions.install()
    isolation.install(directory / "python")
    cloudwatch.install()
    unsupported.install(ours)
    iam.verify_root_signatures()
    iam.name_denied_resources()
    cloudformation.show_update_time_after_updates()
    conditions.join()
    buckets.accept_the_managed_key()
    signatures.sessions_of_functions(environment.secret_key())
    signatures.require_signatures(REGION)
    stack_records.install()
    cloudformation.note_stack_operations()


# where a stack ends whose operation was cut off; nobody knows how far the last resource had come
_ENDS = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}


def disk(directory: Path) -> Disk:
    state.keep_state()
    return Disk(directory)


def restore(where: Disk) -> None:
    """Read the state, and fail what was running when the account stopped."""
    where.load()
    for account_id, region, stack in stack_records.settle(_ENDS, CUT_OFF):
        with context.scope(account_id, region), context.principal(roles.principal_of(stack, account_id)):
            stack_records.delete_again(stack)
    stepfunctions.settle_executions(CUT_OFF)


def _by_signing_name() -> dict[str, list[Api]]:
    apis: dict[str, list[Api]] = defaultdict(list)
    for api in Api.registered.values():
        apis[api.signing_name].append(api)
    return apis


def _one_of(apis: list[Api]) -> router.Handler:
    """sagemaker and sagemaker-runtime sign alike: the request tells them apart."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> router.Response:
        api = next((api for api in apis if api.recognises(method, path, headers)), apis[0])
        return await api.handle(method, path, headers, body, query)

    return handle
