# SPDX-License-Identifier: Apache-2.0
"""Makes the states that register a job's model in SageMaker's model registry out of a RegisterModel state.

    Register:
      RegisterModel:
        Job: Train                        # the RunJob state before it, whose model is registered
        Image: !Ref RegisteredImageUri    # that serves the model; not for a kind whose job names its containers
        ContentType: !Ref ContentType     # of what the model predicts on, as the training data has it
      Next: Evaluate                      # or End: true

Nothing is registered where the parameter ModelPackageGroupName is empty. A state `Register` becomes the following ones:

    Register ─► RegisterIfAsked ─► (RegisterFindJob) ─► RegisterPrepare ─► RegisterFindGroup ─► RegisterIfMeasured
                      │ no group                                                │ none there        │          │
                      ▼                                                         ▼                   ▼          │
                    (Next)                                              RegisterGroup    RegisterStatistics    │
                      ▲                                                                             ▼          ▼
                      └───────────────────────────────────────────────────────────────────── RegisterVersion
                                                                                                    │ refused
                                                       Explain ─► NotifyFailure ─► Failed ◄─ RegisterRefused

register_states.py has them, and why they are what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops.templates.folder import BlueprintError
from mlops.templates.includes import INCLUDE
from mlops.templates.job_states import SHARED_STATES, Job
from mlops.templates.register_states import Registration

NODE = "RegisterModel"
STATEMENTS, BEST_JOB_STATEMENTS = "register_model", "describe_best_job"  # in _parts


def read(name: str, state: dict[str, Any], jobs: Mapping[str, Job], where: str) -> Registration:
    """A RegisterModel state as it was written; raises BlueprintError for what is wrong."""
    node = state[NODE]
    if unknown := sorted(set(state) - {NODE, "Next", "End", "Comment"}):
        raise BlueprintError(f"{where}/{unknown[0]} is an unknown key")
    if ("Next" in state) == (state.get("End") is True):
        raise BlueprintError(f"{where} requires either `Next` or `End: true` beside it")
    where = f"{where}/{NODE}"
    if not isinstance(node, dict):
        raise BlueprintError(f"{where} is not a mapping")
    if unknown := sorted(set(node) - {"Job", "Image", "ContentType"}):
        raise BlueprintError(f"{where}/{unknown[0]} is an unknown key")
    job = jobs.get(str(node.get("Job")))
    if job is None:
        raise BlueprintError(f"{where}/Job {node.get('Job')!r} is not a RunJob state of this state machine")
    kind = job.kind
    if not (kind.is_model):
        raise BlueprintError(f"{where}/Job: a {kind.key} makes no model")
    if bool(kind.containers) == ("Image" in node):
        wants = "names its containers itself: remove Image" if kind.containers else "requires an Image"
        raise BlueprintError(f"{where}: the model of a {kind.key} {wants}")
    if "ContentType" not in node:
        raise BlueprintError(f"{where} has no ContentType")
    then = str(state.get("Next", SHARED_STATES[0]))
    return Registration(name, job, node.get("Image", ""), node["ContentType"], then, str(state.get("Comment", "")))


def statements(registrations: Iterable[Registration]) -> list[Any]:
    """What the state machine's role needs for its registrations. SageMaker names the training jobs of a tuning job."""
    registrations = list(registrations)
    found: list[Any] = [{INCLUDE: STATEMENTS}] if registrations else []
    if any(one.job.kind.best for one in registrations):
        found.append({INCLUDE: BEST_JOB_STATEMENTS})
    return found
