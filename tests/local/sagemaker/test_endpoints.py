# SPDX-License-Identifier: Apache-2.0
"""Models and endpoints, from outside: predictions, updates and rollbacks, data capture, refusals."""

import base64
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import UNKNOWN_IMAGE, Lab, artifact, csv, labels, libsvm, rows
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import soon, wait_for

FEATURES = rows()
UNSEEN = rows(count=4, seed=9)


def _booster(rounds: int = 5, **parameters: Any) -> xgboost.Booster:
    label = parameters.pop("label", labels(FEATURES))
    return xgboost.train({"objective": "binary:logistic", **parameters}, xgboost.DMatrix(FEATURES, label=label), rounds)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


def _upload(lab: Lab, folder: Path, booster: xgboost.Booster, kind: str = "ubj") -> str:
    name = unique("model")
    return lab.put(f"{name}/model.tar.gz", artifact(folder / name, {"xgboost-model": bytes(booster.save_raw(kind))}))


@pytest.fixture(scope="module")
def uploaded(lab: Lab, folder: Path) -> str:
    return _upload(lab, folder, _booster())


@pytest.fixture(scope="module")
def endpoint(lab: Lab, uploaded: str) -> str:
    name = lab.endpoint(lab.config(lab.model(uploaded)))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    return name


def _names(lab: Lab) -> list[str]:
    return [endpoint["EndpointName"] for endpoint in lab.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]]


def _scores(text: str) -> list[float]:
    return [float(score) for score in text.split(",")]


def test_predictions_are_xgboosts_own(lab: Lab, endpoint: str) -> None:
    expected = _booster().predict(xgboost.DMatrix(UNSEEN)).tolist()
    assert _scores(lab.invoke(endpoint, csv(UNSEEN))) == expected
    assert _scores(lab.invoke(endpoint, csv(UNSEEN), "text/csv; charset=utf-8")) == expected
    assert _scores(lab.invoke(endpoint, libsvm(UNSEEN), "text/libsvm")) == expected
    assert _scores(lab.invoke(endpoint, libsvm(UNSEEN, labels(UNSEEN)), "text/x-libsvm")) == expected
    assert _scores(lab.invoke(endpoint, json.dumps(UNSEEN.tolist()), "application/json")) == expected
    instances = json.dumps({"instances": [{"features": row} for row in UNSEEN.tolist()]})
    answer = json.loads(lab.invoke(endpoint, instances, "application/json", Accept="application/json"))
    assert answer == {"predictions": [{"score": score} for score in expected]}


def test_empty_cells_are_missing_values(lab: Lab, endpoint: str) -> None:
    row = UNSEEN[:1].copy()
    row[0, 2] = np.nan
    expected = _booster().predict(xgboost.DMatrix(row)).tolist()
    assert _scores(lab.invoke(endpoint, csv(row).replace("nan", ""))) == expected


@pytest.mark.filterwarnings("ignore:.*deprecated binary model format")
@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("deprecated", {}),
        ("json", {}),
        ("ubj", {"objective": "reg:squarederror", "label": FEATURES[:, 3]}),
        ("ubj", {"booster": "dart", "rate_drop": 0.5, "seed": 3}),
        ("ubj", {"booster": "gblinear"}),
    ],
)
def test_every_format_and_booster_serves(lab: Lab, folder: Path, kind: str, parameters: dict[str, Any]) -> None:
    booster = _booster(**parameters)
    name = lab.endpoint(lab.config(lab.model(_upload(lab, folder, booster, kind))))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    assert _scores(lab.invoke(name, csv(UNSEEN))) == booster.predict(xgboost.DMatrix(UNSEEN)).tolist()


def test_multiclass_answers_a_list_for_each_row(lab: Lab, folder: Path) -> None:
    booster = _booster(objective="multi:softprob", num_class=3, label=np.arange(len(FEATURES)) % 3)
    name = lab.endpoint(lab.config(lab.model(_upload(lab, folder, booster))))
    lab.settled(name)
    expected = booster.predict(xgboost.DMatrix(UNSEEN)).tolist()
    assert json.loads(f"[{lab.invoke(name, csv(UNSEEN))}]") == expected
    answer = json.loads(lab.invoke(name, csv(UNSEEN), Accept="application/json"))
    assert [prediction["score"] for prediction in answer["predictions"]] == expected


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        ("1,2,3", "text/csv", 400, "data 3 is not consistent with feature size of trained model 6"),
        ("1,2,3,4,5,6,7", "text/csv", 400, "data 7 is not consistent"),
        ("1,2,3,4,5,6\n1,2", "text/csv", 400, "line 2 has 2 columns"),
        ("1,2,3,4,5,x", "text/csv", 400, "'x' is not a number"),
        ("6:1", "text/libsvm", 400, "data 7 is not consistent"),
        ("0:1 nonsense", "text/libsvm", 400, "nonsense"),
        ('{"rows": []}', "application/json", 400, "instances"),
        ("[[1, 2], [1]]", "application/json", 400, "row 2 has 1 values"),
        ("{", "application/json", 400, "not JSON"),
        ("...", "image/png", 415, "image/png"),
    ],
)
def test_what_the_model_refuses(lab: Lab, endpoint: str, body: str, content_type: str, status: int, words: str) -> None:
    with pytest.raises(ClientError) as caught:
        lab.invoke(endpoint, body, content_type)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert words in answer["OriginalMessage"]
    assert answer["LogStreamArn"].endswith(f"/aws/sagemaker/Endpoints/{endpoint}")


def test_an_unknown_image_fails_the_endpoint_and_names_the_images_known(lab: Lab, uploaded: str) -> None:
    name = lab.endpoint(lab.config(lab.model(uploaded, image=UNKNOWN_IMAGE)))
    failed = lab.settled(name)
    assert failed["EndpointStatus"] == "Failed"
    for words in ("AllTraffic did not pass the ping health check", UNKNOWN_IMAGE, "sagemaker-xgboost:<version>"):
        assert words in failed["FailureReason"]
    with pytest.raises(ClientError, match="not found"):
        lab.invoke(name, "1,2")


def test_an_update_to_an_unknown_image_is_rolled_back(lab: Lab, uploaded: str) -> None:
    name = lab.endpoint(lab.config(lab.model(uploaded)))
    lab.settled(name)
    config = lab.config(lab.model(uploaded, image=UNKNOWN_IMAGE))
    lab.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    after = lab.settled(name)
    assert after["EndpointStatus"] == "InService"
    assert UNKNOWN_IMAGE in after["FailureReason"]
    assert _scores(lab.invoke(name, csv(UNSEEN))) == _booster().predict(xgboost.DMatrix(UNSEEN)).tolist()


def test_names_differ_by_more_than_case_and_arns_keep_it(lab: Lab, uploaded: str) -> None:
    config, name = lab.config(lab.model(uploaded)), f"Mixed-{unique('Case')}"
    created = lab.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)["EndpointArn"]
    assert created.endswith(f":endpoint/{name}")
    lab.settled(name)
    with pytest.raises(ClientError, match=f'Cannot create already existing endpoint "{created}"'):
        lab.sagemaker.create_endpoint(EndpointName=name.upper(), EndpointConfigName=config)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        lab.sagemaker.describe_endpoint(EndpointName=name.lower())
    with pytest.raises(ClientError, match="not found"):
        lab.invoke(name.lower(), csv(UNSEEN))


def test_a_policy_for_the_lower_case_arn_is_not_enough(lab: Lab, uploaded: str) -> None:
    config, name = lab.config(lab.model(uploaded)), unique("Case")
    anywhere = "arn:aws:sagemaker:us-east-1:123456789012:endpoint"
    allowed = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": [f"{anywhere}-config/*"]}
    for resource, may in ((f"{anywhere}/{name.lower()}", False), (f"{anywhere}/{name}", True)):
        role = lab.make_role([allowed, {**allowed, "Resource": resource}], "cloudformation.amazonaws.com")
        asks = lab.account.client("sagemaker", lab.account.assume(role))
        if may:
            asks.create_endpoint(EndpointName=name, EndpointConfigName=config)
        else:
            with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateEndpoint"):
                asks.create_endpoint(EndpointName=name, EndpointConfigName=config)


def test_an_invocation_takes_milliseconds(lab: Lab, endpoint: str) -> None:
    times = []
    for _ in range(50):
        start = time.perf_counter()
        lab.invoke(endpoint, csv(UNSEEN))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05, "where the machine is busy, most take longer"


# --- states ------------------------------------------------------------------------------------------------


def test_an_endpoint_shows_creating_and_deleting(lab: Lab, uploaded: str) -> None:
    name = lab.endpoint(lab.config(lab.model(uploaded)))
    created = lab.sagemaker.describe_endpoint(EndpointName=name)
    assert created["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="not found"):
        lab.invoke(name, "1")
    served = lab.settled(name)
    variant = served["ProductionVariants"][0]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["DesiredWeight"]) == ("AllTraffic", 1, 1)
    lab.sagemaker.delete_endpoint(EndpointName=name)
    assert lab.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Deleting"

    wait_for(lambda: name not in _names(lab))
    with pytest.raises(ClientError, match="Could not find endpoint"):
        lab.sagemaker.describe_endpoint(EndpointName=name)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"readme.txt": b"no model"}, "not a model that xgboost"),
        ({"a.txt": b"1", "b.txt": b"2"}, "no file 'xgboost-model'"),
        ({"xgboost-model": b"\x80\x04\x95."}, "pickle"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_the_endpoint(
    lab: Lab, folder: Path, files: dict[str, bytes], words: str
) -> None:
    name = unique("model")
    uri = lab.put(f"{name}/model.tar.gz", artifact(folder / name, files))
    failed = lab.settled(lab.endpoint(lab.config(lab.model(uri))))
    assert failed["EndpointStatus"] == "Failed"
    assert words in failed["FailureReason"]


def test_an_artifact_that_went_away_fails_the_endpoint(lab: Lab, uploaded: str, folder: Path) -> None:
    uri = _upload(lab, folder, _booster())
    gone, broken = lab.model(uri), lab.model(lab.put("broken/model.tar.gz", b"not an archive"))
    lab.s3.delete_object(Bucket=lab.bucket, Key=uri.removeprefix(f"s3://{lab.bucket}/"))
    reason = lab.settled(lab.endpoint(lab.config(gone)))["FailureReason"]
    assert "Failed to download model data" in reason
    assert uri in reason
    reason = lab.settled(lab.endpoint(lab.config(broken)))["FailureReason"]
    assert "Failed to extract" in reason
    assert reason.endswith("it is not a .tar.gz archive.")


def test_an_update_swaps_models_without_a_gap(lab: Lab, uploaded: str, folder: Path) -> None:
    name = lab.endpoint(lab.config(lab.model(uploaded)))
    lab.settled(name)
    better = _booster(rounds=20)
    config = lab.config(lab.model(_upload(lab, folder, better)))
    lab.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        lab.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    answers = [booster.predict(xgboost.DMatrix(UNSEEN)).tolist() for booster in (_booster(), better)]
    while lab.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating":
        assert _scores(lab.invoke(name, csv(UNSEEN))) in answers
    assert lab.sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"] == config
    assert _scores(lab.invoke(name, csv(UNSEEN))) == answers[1]


def test_a_failed_update_is_rolled_back(lab: Lab, uploaded: str, folder: Path) -> None:
    first = lab.config(lab.model(uploaded))
    name = lab.endpoint(first)
    lab.settled(name)
    bad = lab.put("bad/model.tar.gz", artifact(folder / "bad", {"xgboost-model": b"nonsense"}))
    lab.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=lab.config(lab.model(bad)))

    def rolling_back() -> None:
        assert lab.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "RollingBack"

    soon(rolling_back)
    after = lab.settled(name)
    assert after["EndpointStatus"] == "InService"
    assert after["EndpointConfigName"] == first
    assert "not a model that xgboost" in after["FailureReason"]
    assert _scores(lab.invoke(name, csv(UNSEEN))) == _booster().predict(xgboost.DMatrix(UNSEEN)).tolist()
    lab.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=first)
    assert "FailureReason" not in lab.settled(name)


def test_variants_share_the_traffic_by_weight(lab: Lab, uploaded: str) -> None:
    model = lab.model(uploaded)
    variants = [
        {
            "VariantName": variant,
            "ModelName": model,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }
        for variant, weight in (("A", 1.0), ("B", 0.0))
    ]
    name = lab.endpoint(lab.config(ProductionVariants=variants))
    lab.settled(name)
    ask = {"EndpointName": name, "Body": csv(UNSEEN), "ContentType": "text/csv"}
    assert {lab.runtime.invoke_endpoint(**ask)["InvokedProductionVariant"] for _ in range(5)} == {"A"}
    assert lab.runtime.invoke_endpoint(**ask, TargetVariant="B")["InvokedProductionVariant"] == "B"
    with pytest.raises(ClientError, match="Variant C"):
        lab.runtime.invoke_endpoint(**ask, TargetVariant="C")
    lab.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": "A", "DesiredWeight": 0},
            {"VariantName": "B", "DesiredWeight": 2, "DesiredInstanceCount": 3},
        ],
    )
    assert {lab.runtime.invoke_endpoint(**ask)["InvokedProductionVariant"] for _ in range(5)} == {"B"}
    reset = lab.config(ProductionVariants=variants)
    lab.sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=reset,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    kept = {variant["VariantName"]: variant for variant in lab.settled(name)["ProductionVariants"]}
    assert (kept["B"]["CurrentWeight"], kept["B"]["CurrentInstanceCount"]) == (2, 1)


# --- refusals ----------------------------------------------------------------------------------------------


def test_a_model_needs_its_artifact_and_a_role_that_reads_it(lab: Lab, uploaded: str) -> None:
    nobody = lab.make_role([{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
    for changes, message in (
        (
            {"PrimaryContainer": {"Image": UNKNOWN_IMAGE, "ModelDataUrl": f"s3://{lab.bucket}/no/model.tar.gz"}},
            "Could not find model data at",
        ),
        ({"ExecutionRoleArn": nobody}, "Could not access model data at"),
        ({"ExecutionRoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role"),
        ({"PrimaryContainer": {"ModelDataUrl": uploaded}}, "needs either an Image or a ModelPackageName"),
    ):
        with pytest.raises(ClientError, match=message):
            lab.model(uploaded, **changes)


def test_names_that_are_taken_or_unknown(lab: Lab, uploaded: str) -> None:
    model = lab.model(uploaded)
    config = lab.config(model)
    for message, call in (
        ("Cannot create already existing model", lambda: lab.model(uploaded, ModelName=model)),
        ("Could not find model", lambda: lab.config("no-such-model")),
        ("Cannot create already existing endpoint configuration", lambda: lab.config(model, EndpointConfigName=config)),
        ("Could not find endpoint configuration", lambda: lab.endpoint("no-such-config")),
        ("Could not find endpoint", lambda: lab.sagemaker.delete_endpoint(EndpointName="no-such-endpoint")),
        ("Endpoint no-such-endpoint of account 123456789012 not found", lambda: lab.invoke("no-such-endpoint", "1")),
    ):
        with pytest.raises(ClientError, match=message):
            call()


def test_a_key_for_volumes_of_instances_with_local_storage_is_refused(lab: Lab, uploaded: str) -> None:
    variant = {"VariantName": "A", "ModelName": lab.model(uploaded), "InitialInstanceCount": 1}
    lab.config(KmsKeyId="alias/key", ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}])
    for instance_type in ("ml.m5d.large", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.r6gd.large", "ml.p6-b200.48xlarge"):
        with pytest.raises(ClientError, match=instance_type):
            lab.config(KmsKeyId="alias/key", ProductionVariants=[{**variant, "InstanceType": instance_type}])


# --- data capture ------------------------------------------------------------------------------------------


def _captured(lab: Lab, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for item in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=prefix).get("Contents", []):
        body = lab.s3.get_object(Bucket=lab.bucket, Key=item["Key"])["Body"].read().decode()
        found += [(item["Key"], json.loads(line)) for line in body.splitlines()]
    return found


def _capturing(lab: Lab, uploaded: str, prefix: str, **changes: Any) -> str:
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{lab.bucket}/{prefix}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
    name = lab.endpoint(lab.config(lab.model(uploaded), DataCaptureConfig={**capture, **changes}))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    return name


def test_captured_data_have_sagemakers_form_and_place(lab: Lab, uploaded: str) -> None:
    name = _capturing(lab, uploaded, "captured/")
    answer = lab.invoke(name, csv(UNSEEN), InferenceId="row-1", CustomAttributes="trace=1")
    lab.invoke(name, libsvm(UNSEEN), "text/libsvm", Accept="application/json")

    def written() -> list[tuple[str, dict[str, Any]]]:
        found = _captured(lab, "captured/")
        assert len(found) == 2
        return found

    records = soon(written)
    key, record = next((key, record) for key, record in records if "inferenceId" in record["eventMetadata"])
    when = time.strftime("%Y/%m/%d/%H", time.gmtime())
    assert key.startswith(f"captured/{name}/AllTraffic/{when}/")
    assert record == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": csv(UNSEEN),
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": answer,
                "encoding": "CSV",
            },
        },
        "eventMetadata": {
            "eventId": record["eventMetadata"]["eventId"],
            "customAttributes": ["trace=1"],
            "inferenceId": "row-1",
            "inferenceTime": record["eventMetadata"]["inferenceTime"],
        },
        "eventVersion": "0",
    }
    other = next(record for _, record in records if "inferenceId" not in record["eventMetadata"])["captureData"]
    assert other["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(other["endpointInput"]["data"]).decode() == libsvm(UNSEEN)
    assert other["endpointOutput"]["encoding"] == "JSON"


def test_capture_obeys_mode_and_sampling(lab: Lab, uploaded: str) -> None:
    none = _capturing(lab, uploaded, "none", InitialSamplingPercentage=0)
    off = _capturing(lab, uploaded, "off", EnableCapture=False)
    inputs = _capturing(lab, uploaded, "inputs", CaptureOptions=[{"CaptureMode": "Input"}])
    for name in (none, off, inputs):
        lab.invoke(name, csv(UNSEEN))

    def written() -> list[tuple[str, dict[str, Any]]]:
        found = _captured(lab, "inputs/")
        assert found
        return found

    assert soon(written)[0][1]["captureData"].keys() == {"endpointInput"}
    assert not _captured(lab, "none/")
    assert not _captured(lab, "off/")


# --- CloudWatch --------------------------------------------------------------------------------------------


def test_an_endpoints_log_is_where_aws_has_it(lab: Lab, uploaded: str, folder: Path) -> None:
    logs = lab.account.client("logs")
    good = lab.endpoint(lab.config(lab.model(uploaded)))
    lab.settled(good)
    lab.invoke(good, csv(UNSEEN))
    with pytest.raises(ClientError):
        lab.invoke(good, "1,2\n")

    def written() -> list[str]:
        streams = logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{good}")["logStreams"]
        assert [stream["logStreamName"][:13] for stream in streams] == ["AllTraffic/i-"]
        events = logs.filter_log_events(
            logGroupName=f"/aws/sagemaker/Endpoints/{good}", logStreamNamePrefix="AllTraffic/"
        )["events"]
        assert len(events) == 4
        return [event["message"] for event in events]

    serves, answered, why, refused = wait_for(lambda: _unless_missing(written))
    assert f"serves the model from {uploaded}" in serves
    assert '"POST /invocations HTTP/1.1" 200 ' in answered
    assert "Feature size of csv inference data 2" in why
    assert '"POST /invocations HTTP/1.1" 400 ' in refused

    bad = lab.put("unloadable/model.tar.gz", artifact(folder / "unloadable", {"xgboost-model": b"nonsense"}))
    failed = lab.endpoint(lab.config(lab.model(bad)))
    lab.settled(failed)
    group = f"/aws/sagemaker/Endpoints/{failed}"
    events = wait_for(lambda: _unless_missing(lambda: logs.filter_log_events(logGroupName=group)["events"]))
    assert f"[ERROR] Unable to load model from {bad}" in events[0]["message"]


def _unless_missing(question: Any) -> Any:
    try:
        return question()
    except (ClientError, AssertionError):
        return None


def test_a_role_that_may_not_write_logs_serves_without(lab: Lab, uploaded: str) -> None:
    silent = lab.make_role([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    name = lab.endpoint(lab.config(lab.model(uploaded, ExecutionRoleArn=silent)))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    assert lab.invoke(name, csv(UNSEEN))
    time.sleep(1.5)
    with pytest.raises(ClientError, match="does not exist"):
        lab.account.client("logs").describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{name}")


def test_invocations_are_metrics(lab: Lab, uploaded: str) -> None:
    cloudwatch = lab.account.client("cloudwatch")
    name = lab.endpoint(lab.config(lab.model(uploaded)))
    lab.settled(name)
    for _ in range(3):
        lab.invoke(name, csv(UNSEEN))
    with pytest.raises(ClientError):
        lab.invoke(name, "1,2\n")
    dimensions = [{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}]
    period = {"StartTime": time.time() - 600, "EndTime": time.time() + 600, "Period": 3600}

    def statistics(metric: str) -> dict[str, Any] | None:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=dimensions,
            **period,
            Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        )["Datapoints"]
        return {member: sum(point[member] for point in points) for member in ("Sum", "SampleCount")} if points else None

    wait_for(lambda: (statistics("Invocations") or {}).get("Sum") == 4)
    assert statistics("Invocation4XXErrors") == {"Sum": 1, "SampleCount": 4}
    assert statistics("Invocation5XXErrors") == {"Sum": 0, "SampleCount": 4}
    latency = statistics("ModelLatency")
    assert latency is not None
    assert 10 < latency["Sum"] < 60e6  # microseconds
    listed = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=[dimensions[0]])["Metrics"]
    assert {metric["MetricName"] for metric in listed} >= {"Invocations", "ModelLatency", "OverheadLatency"}
    queries = [
        {
            "Id": "m",
            "MetricStat": {
                "Stat": "Sum",
                "Period": 3600,
                "Metric": {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions},
            },
        }
    ]
    data = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=period["StartTime"], EndTime=period["EndTime"]
    )["MetricDataResults"][0]
    assert sum(data["Values"]) == 4


def test_a_busy_endpoints_log_is_cut_and_its_metrics_are_not(lab: Lab, uploaded: str) -> None:
    name, logs = lab.endpoint(lab.config(lab.model(uploaded))), lab.account.client("logs")
    lab.settled(name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: lab.invoke(name, csv(UNSEEN)), range(600)))
    dimensions = [{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}]

    def counted() -> bool:
        points = lab.account.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="Invocations",
            Dimensions=dimensions,
            Statistics=["Sum"],
            Period=60,
            StartTime=time.time() - 600,
            EndTime=time.time() + 600,
        )["Datapoints"]
        assert len(points) <= 2 + 600 // 60
        return sum(point["Sum"] for point in points) == 600

    assert wait_for(counted)
    events = logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
    seconds = Counter(event["ingestionTime"] for event in events)
    assert max(seconds.values()) <= 21
