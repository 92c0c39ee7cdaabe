# SPDX-License-Identifier: Apache-2.0
"""The laptop account: startup, installation, training pipelines from end to end, and the number of AWS calls."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from chalicelib.status.outcome import ENDED
from mlops.cli import account
from mlops.cli.building import Build
from mlops.cli.connection import Connection
from mlops.demo import story
from mlops.sample import dataset

from tools.bench import accounts, recorder, warm
from tools.bench.measures import Goal, Measure, Samples
from tools.bench.orchestrator import OURS, event, start, through
from tools.bench.recorder import Recorder, is_write
from tools.bench.runtime import Function, Package

_GROUP = "Laptop account"
_CALLS = "AWS calls"
_MINISTACK = "only ministack"
_PATIENCE = 60  # seconds


def measure(build: Build, package: Package, times: int) -> Iterator[Measure]:
    """Everything that needs a running account."""
    account.forget_other_accounts()
    alone, starts = [], []
    for _ in range(times):
        with accounts.ministack() as one:
            alone.append(one)
        with accounts.ours() as one:
            starts.append(one)
    took, reference = Samples.of(one.ready for one in starts), Samples.of(one.ready for one in alone)
    yield Measure(_GROUP, "start to ready", "s", took, reference, _MINISTACK)

    with accounts.ours() as running:
        begun = time.perf_counter()
        account.installed(running.words, build, lambda step, detail="": None)
        yield Measure(_GROUP, "upload and installation", "s", Samples.of(time.perf_counter() - begun))
        connection = Connection()
        dataset.upload(connection.session.client("s3"), connection.outputs["AssetsBucketName"])
        yield _pipelines(connection, times)
        yield from _requests(connection, package, running.address, times)
        memory = Samples.of(one.memory for one in starts), Samples.of(one.memory for one in alone)
        yield Measure(_GROUP, "peak memory when ready", "B", *memory, _MINISTACK)
        at_the_end = Samples.of(accounts.peak_memory(running.pid))
        yield Measure(_GROUP, f"peak memory after {times + 1} pipelines", "B", at_the_end, memory[1], _MINISTACK)


def _pipelines(connection: Connection, times: int) -> Measure:
    """Training pipelines one after the other, each from its request to Succeeded."""
    whole, training = [], []
    for number in range(times):
        begun = time.perf_counter()
        provisioned = connection.post("provisionpipeline", _body(f"bench-{number}"))
        pipeline = _ended(connection, provisioned["pipeline_id"])
        whole.append(time.perf_counter() - begun)
        job = connection.session.client("sagemaker").describe_training_job(TrainingJobName=pipeline["job"]["name"])
        training.append((job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds())
    what = "training pipeline, from the request to Succeeded"
    return Measure(_GROUP, what, "s", Samples.of(whole), Samples.of(training), "only its training job")


def _requests(connection: Connection, package: Package, address: str, times: int) -> Iterator[Measure]:
    """The packaged orchestrator with the installed one's environment; its calls are recorded on their way."""
    with (
        recorder.recording(address) as record,
        start(package, OURS, address, _installed(connection) | through(record.address)) as ours,
    ):
        answer = _provision(ours, _body("counted"))
        yield _counted("new pipeline", record, Samples.of(2), "the minimum: write the bundle, create", Goal(3))
        _ended(connection, answer["pipeline_id"])
        _provision(ours, _body("counted"))
        repeat = record.calls
        yield _counted("repeated request", record)
        writes = sum(map(is_write, repeat))
        yield Measure(_CALLS, "repeated request: writes", "calls", Samples.of(writes), goal=Goal(0))
        status = event({"pipeline_id": answer["pipeline_id"]}, "pipelinestatus")
        ours.invoke(status)
        yield _counted("status request", record)
        repeated = warm.cpu(ours, lambda number: event(_body("counted").decode()), times)
        yield Measure(warm.GROUP, "repeated request", "s", repeated, goal=Goal(0.008))
        yield Measure(warm.GROUP, "status request", "s", warm.cpu(ours, lambda number: status, times))
        record.taken()
        _provision(ours, _body("counted", instance_volume_size=30))
        yield _counted("changed request", record)
        _ended(connection, answer["pipeline_id"])


def _counted(what: str, record: Recorder, *reference: Any) -> Measure:
    calls = record.taken()
    named = f"{what}: {', '.join(calls)}"
    against, about, goal = reference or (None, "", None)
    return Measure(_CALLS, named, "calls", Samples.of(len(calls)), against, about, goal)


def _provision(function: Function, body: bytes) -> dict[str, Any]:
    answer = function.invoke(event(body.decode()))
    if answer["statusCode"] != 200:
        raise RuntimeError(answer["body"])
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def _ended(connection: Connection, pipeline_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = connection.post("pipelinestatus", json.dumps({"pipeline_id": pipeline_id}).encode())
        pipeline: dict[str, Any] = answer["pipeline"]
        if pipeline["status"] in ENDED:
            if pipeline["status"] != "Succeeded":
                raise RuntimeError(f"{pipeline['name']} {pipeline['status']}: {pipeline['reason']}")
            return pipeline
        time.sleep(0.1)
    raise RuntimeError(f"{pipeline_id} did not end in {_PATIENCE} s")


def _body(model_name: str, **fields: Any) -> bytes:
    """The demo's training request, under another name."""
    return json.dumps({**json.loads(story.request("training")), "model_name": model_name, **fields}).encode()


def _installed(connection: Connection) -> dict[str, str]:
    """The environment of the installed orchestrator, with the credentials of the account's owner."""
    functions = connection.session.client("lambda").list_functions()["Functions"]
    [variables] = [one["Environment"]["Variables"] for one in functions if one["Handler"] == OURS]
    owner = connection.credentials
    return {**variables, "AWS_ACCESS_KEY_ID": owner.access_key, "AWS_SECRET_ACCESS_KEY": owner.secret_key}
