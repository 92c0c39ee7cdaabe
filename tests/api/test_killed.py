# SPDX-License-Identifier: Apache-2.0
"""The account is killed at any moment of a pipeline's life: the same request, sent again, ends Succeeded, and nothing
is left that no stack owns."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3

from tests.support.installed import Installed, installed
from tests.support.laptop import Account, running_account, start_account
from tests.support.requests import LABELS, ROWS, UNSEEN, batch, csv, job, realtime, training

RETRY_SECONDS = 180.0  # seconds: a busy machine takes long, and how long does not matter here
WHOLE_LIFE = 1.2  # of what a request takes undisturbed: a kill may come just after its end, too


@dataclass(frozen=True)
class Moment:
    seed: int
    kind: str
    number: signal.Signals
    changed: bool
    part: float

    def __str__(self) -> str:
        what = "changed" if self.changed else "first"
        return f"{self.seed}-{self.kind}-{what}-{self.number.name}-{self.part:.2f}"


def moments(seeds: range) -> list[Moment]:
    """Each seed's moment; types, signals and requests take turns."""
    return [
        Moment(
            seed,
            kind=("realtime", "training", "batch")[seed % 3],
            number=(signal.SIGKILL, signal.SIGTERM)[seed // 2 % 2],
            changed=(seed % 4 in (1, 2)) != (seed // 4 % 2 == 1),
            part=random.Random(seed).uniform(0, WHOLE_LIFE),
        )
        for seed in seeds
    ]


@dataclass(frozen=True)
class Laboratory:
    """An account that was stopped after it got the orchestrator, a model, and a pipeline of each type."""

    data: Path
    api: Installed
    artifact: str
    life: dict[str, float]
    unowned: frozenset[str]

    def request(self, kind: str, changed: bool) -> dict[str, Any]:
        name = "before" if changed else "new"
        if kind == "training":
            hyperparameters = {"objective": "binary:logistic", "num_round": 30 if changed else 20}
            return training(
                f"{name}-training",
                training_data="data/train.csv",
                validation_data="",
                algo_hyperparameters=hyperparameters,
            )
        changes = {"inference_instance": "ml.m5.2xlarge"} if changed else {}
        if kind == "batch":
            return batch(self.api, self.artifact, model_name=f"{name}-batch", **changes)
        return realtime(
            self.api, self.artifact, model_name=f"{name}-serving", endpoint_name=f"{name}-endpoint", **changes
        )


def owned(api: Installed) -> set[str]:
    """The physical ids of what stacks hold."""
    cloudformation = api.client("cloudformation")
    stacks = [stack for page in cloudformation.get_paginator("describe_stacks").paginate() for stack in page["Stacks"]]
    return {
        one["PhysicalResourceId"]
        for stack in stacks
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
        for one in page["StackResourceSummaries"]
    }


def existing(api: Installed) -> set[str]:
    """The physical ids of all there is, of the kinds that pipelines make."""
    sagemaker = api.client("sagemaker")
    found = [
        *(one["id"] for one in api.client("apigateway").get_rest_apis(limit=500)["items"]),
        *(one["EndpointArn"] for one in sagemaker.list_endpoints(MaxResults=100)["Endpoints"]),
        *(one["EndpointConfigArn"] for one in sagemaker.list_endpoint_configs(MaxResults=100)["EndpointConfigs"]),
        *(one["ModelArn"] for one in sagemaker.list_models(MaxResults=100)["Models"]),
        *(one["name"] for one in api.client("codepipeline").list_pipelines()["pipelines"]),
        *(
            one["RoleName"]
            for page in api.client("iam").get_paginator("list_roles").paginate()
            for one in page["Roles"]
        ),
        *(
            one["FunctionName"]
            for page in api.client("lambda").get_paginator("list_functions").paginate()
            for one in page["Functions"]
        ),
        *(one["stateMachineArn"] for one in api.client("stepfunctions").list_state_machines()["stateMachines"]),
    ]
    return set(found)


def succeeded(api: Installed, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.insisting(body, RETRY_SECONDS)
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"], RETRY_SECONDS)
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


@pytest.fixture(scope="module")
def laboratory(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    data = tmp_path_factory.mktemp("killed") / "data"
    with running_account("--data", str(data)) as account:
        api = installed(account, built)
        api.put("data/train.csv", csv(ROWS[:100], LABELS[:100]))
        made = Laboratory(data, api, "", {}, frozenset())
        began = time.monotonic()
        first = training("before-training", training_data="data/train.csv", validation_data="")
        location = job(api, succeeded(api, first))["ModelArtifacts"]["S3ModelArtifacts"]
        life = {"training": time.monotonic() - began}
        made = replace(made, artifact=location.removeprefix(f"s3://{api.assets_bucket}/"))
        began = time.monotonic()
        succeeded(api, realtime(api, made.artifact, model_name="before-serving", endpoint_name="before-endpoint"))
        life["realtime"] = time.monotonic() - began
        api.put("batch/unseen.csv", csv(UNSEEN))
        began = time.monotonic()
        succeeded(api, batch(api, made.artifact, model_name="before-batch"))
        life["batch"] = time.monotonic() - began
        return replace(made, life=life, unowned=frozenset(existing(api) - owned(api)))


@pytest.fixture
def start(tmp_path: Path, laboratory: Laboratory) -> Iterator[Callable[[], tuple[Account, Installed]]]:
    """Starts accounts on a copy of the laboratory's state, one after the other."""
    data = tmp_path / "data"
    shutil.copytree(laboratory.data, data)
    running: list[Account] = []

    def start_one() -> tuple[Account, Installed]:
        running.append(start_account("--data", str(data)))
        endpoint = running[-1].endpoint
        path = laboratory.api.api_url.removeprefix(laboratory.api.endpoint)
        return running[-1], replace(
            laboratory.api, endpoint=endpoint, api_url=endpoint + path, session=running[-1].session
        )

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait(15)
    shutil.rmtree(data, ignore_errors=True)


def check(laboratory: Laboratory, start: Callable[[], tuple[Account, Installed]], moment: Moment) -> None:
    account, api = start()
    body = laboratory.request(moment.kind, moment.changed)

    def ask() -> None:
        with suppress(urllib3.exceptions.HTTPError):  # it may be killed before it answers
            api.provision(body)

    asking = Thread(target=ask)
    asking.start()
    time.sleep(moment.part * laboratory.life[moment.kind])
    account.process.send_signal(moment.number)
    account.process.wait(20)
    asking.join()

    account, api = start()
    pipeline = succeeded(api, body)
    if moment.kind == "realtime":
        name = body["endpoint_name"]
        answer = api.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, ContentType="text/csv", Body=csv(UNSEEN[:3])
        )
        assert len(answer["Body"].read().decode().split(",")) == 3
    if moment.kind == "batch":
        bucket, _, prefix = pipeline["job"]["artifact"].removeprefix("s3://").partition("/")
        written = api.client("s3").get_object(Bucket=bucket, Key=f"{prefix}/unseen.csv.out")["Body"].read()
        assert len(written.splitlines()) == len(UNSEEN)
    assert pipeline["stack"]["status"].endswith("_COMPLETE")
    assert existing(api) - owned(api) <= laboratory.unowned


@pytest.mark.parametrize("moment", moments(range(3)), ids=str)
def test_one_repeat_heals_a_kill(
    laboratory: Laboratory, start: Callable[[], tuple[Account, Installed]], moment: Moment
) -> None:
    check(laboratory, start, moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments(range(3, 54)), ids=str)
def test_one_repeat_heals_any_kill(
    laboratory: Laboratory, start: Callable[[], tuple[Account, Installed]], moment: Moment
) -> None:
    check(laboratory, start, moment)
