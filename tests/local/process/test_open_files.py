# SPDX-License-Identifier: Apache-2.0
"""The account holds no more open files after many endpoints and pipelines than after one of each."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xgboost

from tests.support.codepipelines import MODEL_OF_NOTHING, declaration, deploy, source, versioned_bucket, zipped
from tests.support.lab import ALLOW_S3_AND_LOGS, Lab, artifact, csv, labels, rows
from tests.support.laptop import Account, stop_account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

SPARE = 4  # connections of this test's own clients, which come and go


def files(account: Account) -> int:
    return len(list(Path(f"/proc/{account.process.pid}/fd").iterdir()))


def serve(lab: Lab, model_data: str) -> str:
    """An endpoint with a role of its own, that has captured a request."""
    name = lab.endpoint(
        lab.config(
            lab.model(model_data, ExecutionRoleArn=lab.make_role(ALLOW_S3_AND_LOGS)),
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{lab.bucket}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}],
            },
        )
    )
    assert lab.settled(name)["EndpointStatus"] == "InService"
    lab.invoke(name, csv(rows(2)))
    wait_for(lambda: lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=f"captured/{name}/").get("Contents"))
    return name


def run(account: Account, bucket: str) -> str:
    """A pipeline with roles of its own, that has deployed its stack."""
    name = unique("pipeline")
    account.client("codepipeline").create_pipeline(
        pipeline=declaration(
            name,
            trusted_role(account, "codepipeline.amazonaws.com"),
            bucket,
            source(bucket),
            deploy(name, trusted_role(account, "cloudformation.amazonaws.com")),
        )
    )

    def deployed() -> bool:
        found = account.client("cloudformation").describe_stacks()["Stacks"]
        return any((one["StackName"], one["StackStatus"]) == (name, "CREATE_COMPLETE") for one in found)

    wait_for(deployed)
    return name


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list a process's open files")
def test_endpoints_and_pipelines_leave_no_files_open(tmp_path: Path, start: Callable[..., Account]) -> None:
    account = start()
    lab, bucket = Lab(account), versioned_bucket(account)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows(), label=labels(rows())), 2)
    model = lab.put("m/model.tar.gz", artifact(tmp_path, {"xgboost-model": bytes(booster.save_raw("ubj"))}))
    lab.s3.put_object(Bucket=bucket, Key="template.zip", Body=zipped(template__json=MODEL_OF_NOTHING))
    endpoints, pipelines = [serve(lab, model)], [run(account, bucket)]
    before = files(account)
    endpoints += [serve(lab, model) for _ in range(8)]
    pipelines += [run(account, bucket) for _ in range(4)]
    assert wait_for(lambda: files(account) <= before + SPARE)
    for name in endpoints:
        lab.sagemaker.delete_endpoint(EndpointName=name)
    for name in pipelines:
        account.client("codepipeline").delete_pipeline(name=name)
        account.client("cloudformation").delete_stack(StackName=name)
    assert wait_for(lambda: files(account) <= before + SPARE)
    assert stop_account(account) == 0
