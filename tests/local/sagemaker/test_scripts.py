# SPDX-License-Identifier: Apache-2.0
"""Script mode: the user's own code trains and serves, as in SageMaker's images of scikit-learn and XGBoost."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import Lab, csv, labels, rows
from tests.support.laptop import Account, Start
from tests.support.naming import unique
from tests.support.scripts import (
    SERVE,
    SKLEARN,
    TRAIN,
    XGBOOST,
    lives,
    logged,
    packed,
    put_code,
    running_script,
    training,
    unpacked_file,
)
from tests.support.waiting import wait_for

FEATURES = rows()
LABELS = labels(FEATURES)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


@pytest.fixture(scope="module")
def data(lab: Lab) -> str:
    return lab.put("data/data.csv", csv(FEATURES, LABELS))


# --- training ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(lab: Lab, data: str) -> dict[str, Any]:
    code = put_code(lab, train__py=TRAIN, inference__py=SERVE)
    request = training(lab, data, code, strength=0.5)
    request["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "train:accuracy", "Regex": r"train-accuracy=([0-9.]+)"}
    ]
    job = lab.train(request)
    assert job["TrainingJobStatus"] == "Completed", job
    return job


def test_a_script_trains_a_model(lab: Lab, trained: dict[str, Any]) -> None:
    from sklearn.linear_model import LogisticRegression

    model = joblib.load(unpacked_file(lab, trained["ModelArtifacts"]["S3ModelArtifacts"], "model.joblib"))
    own = LogisticRegression(C=0.5).fit(FEATURES.astype(float), LABELS)
    assert model.get_params()["C"] == 0.5
    assert (model.predict(FEATURES.astype(float)) == own.predict(FEATURES.astype(float))).all()
    [metric] = trained["FinalMetricDataList"]
    assert metric["MetricName"] == "train:accuracy"
    assert metric["Value"] == pytest.approx(own.score(FEATURES.astype(float), LABELS))


def test_the_log_says_what_runs(lab: Lab, trained: dict[str, Any]) -> None:
    import sklearn

    text = logged(lab, trained["TrainingJobName"])
    assert f"scikit-learn {sklearn.__version__}" in text
    assert "train.py --strength 0.5" in text


SHOW = """
import json, os, sys
shown = {"environment": dict(os.environ), "arguments": sys.argv[1:], "folder": os.getcwd()}
json.dump(shown, open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "shown.json"), "w"))
"""


def test_a_script_gets_what_the_toolkit_gives(lab: Lab, data: str) -> None:
    given = {"b": True, "rate": 0.25, "words": "two words", "nested": {"x": 1}, "sagemaker_container_log_level": 20}
    request = training(lab, data, put_code(lab, train__py=SHOW), **given)
    job = lab.train({**request, "Environment": {"MINE": "yes"}})
    assert job["TrainingJobStatus"] == "Completed", job
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    shown = json.load(unpacked_file(lab, artifact, "shown.json"))
    assert shown["arguments"] == ["-b", "True", "--nested", "x=1", "--rate", "0.25", "--words", "two words"]
    variables = shown["environment"]
    base = variables["SM_MODEL_DIR"].removesuffix("/model")
    assert variables["MINE"] == "yes"
    assert shown["folder"] == f"{base}/code"
    assert {name: variables[name] for name in variables if name.startswith("SM_CHANNEL_")} == {
        "SM_CHANNEL_TRAIN": f"{base}/input/data/train"
    }
    own = {name: value for name, value in given.items() if not name.startswith("sagemaker_")}
    assert json.loads(variables["SM_HPS"]) == own
    assert json.loads(variables["SM_USER_ARGS"]) == shown["arguments"]
    assert (variables["SM_HP_RATE"], variables["SM_HP_WORDS"], variables["SM_LOG_LEVEL"]) == ("0.25", "two words", "20")
    assert (variables["SM_CURRENT_HOST"], json.loads(variables["SM_HOSTS"])) == ("algo-1", ["algo-1"])
    assert (variables["SM_MODULE_NAME"], variables["SM_USER_ENTRY_POINT"]) == ("train", "train.py")
    assert variables["SM_FRAMEWORK_MODULE"] == "sagemaker_sklearn_container.training:main"
    assert json.loads(variables["SM_CHANNELS"]) == ["train"]
    assert json.loads(variables["SM_INPUT_DATA_CONFIG"])["train"]["ContentType"] == "text/csv"
    assert json.loads(variables["SM_RESOURCE_CONFIG"])["current_instance_type"] == "ml.m5.large"
    assert json.loads(variables["SM_TRAINING_ENV"])["hyperparameters"] == own
    assert variables["TRAINING_JOB_NAME"] == job["TrainingJobName"]
    assert int(variables["SM_NUM_CPUS"]) >= 1
    assert variables["SM_NUM_GPUS"] == "0"


WHO = """
import boto3, os
print("I am", boto3.client("sts").get_caller_identity()["Arn"])
print("secret", os.environ.get("MINISTACK_ACCOUNT_ID"), os.environ.get("GATEWAY_PORT"))
boto3.client("s3").create_bucket(Bucket="not-allowed")
"""


def test_a_script_is_its_jobs_role_and_nobody_else(lab: Lab, data: str) -> None:
    role = lab.make_role([{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "logs:*"], "Resource": "*"}])
    job = lab.train({**training(lab, data, put_code(lab, train__py=WHO)), "RoleArn": role})
    assert job["TrainingJobStatus"] == "Failed"
    assert "AccessDenied" in job["FailureReason"]
    text = logged(lab, job["TrainingJobName"])
    assert f"I am arn:aws:sts::123456789012:assumed-role/{role.rpartition('/')[2]}/" in text
    assert "secret None None" in text


def test_a_script_without_network_has_no_credentials_and_brings_its_code_in_a_channel(lab: Lab) -> None:
    lab.put("isolated/data.csv", "1,2\n")
    lab.put("isolated/code.tar.gz", packed(train__py="import os\nassert 'AWS_ACCESS_KEY_ID' not in os.environ"))
    data, channel = f"s3://{lab.bucket}/isolated/", "/opt/ml/input/data/train/code.tar.gz"
    job = lab.train({**training(lab, data, channel), "EnableNetworkIsolation": True})
    assert job["TrainingJobStatus"] == "Completed", job
    job = lab.train({**training(lab, data, f"{data}code.tar.gz"), "EnableNetworkIsolation": True})
    assert "NoCredentialsError" in job["FailureReason"]


def test_a_pipe_is_refused(lab: Lab, data: str) -> None:
    request = training(lab, data, "s3://b/k")
    request["AlgorithmSpecification"]["TrainingInputMode"] = "Pipe"
    assert "no pipes for scripts" in lab.train(request)["FailureReason"]


def test_a_failing_script_is_the_reason(lab: Lab, data: str) -> None:
    job = lab.train(
        training(lab, data, put_code(lab, train__py="print('hello')\nraise ValueError('no rows\\nat all')"))
    )
    assert job["TrainingJobStatus"] == "Failed"
    reason = job["FailureReason"]
    assert reason.startswith(
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: no rows at all"\nCommand "'
    )
    assert reason.endswith('train.py", exit code: 1')
    assert "hello" in logged(lab, job["TrainingJobName"])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"other__py": ""}, "train.py (sagemaker_program) is not in the code, which contains other.py"),
        (
            {
                "train__py": "",
                "requirements__txt": "# ours\nscikit-learn>=1\nnumpy<1\nno-such-package==1\n",
            },
            "numpy<1, and ",
        ),
    ],
)
def test_code_that_cannot_run_here(lab: Lab, data: str, files: dict[str, str], reason: str) -> None:
    job = lab.train(training(lab, data, put_code(lab, **files)))
    assert job["TrainingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_requirements_that_are_met(lab: Lab, data: str) -> None:
    met = "scikit-learn>=1.0\nnumpy\npandas ; python_version > '3'\nno-such-package ; python_version < '3'\n"
    job = lab.train(training(lab, data, put_code(lab, train__py="import numpy", requirements__txt=met)))
    assert job["TrainingJobStatus"] == "Completed", job


def test_code_that_is_not_there_and_code_in_a_channel(lab: Lab, data: str) -> None:
    job = lab.train(training(lab, data, f"s3://{lab.bucket}/nothing.tar.gz"))
    assert "(404)" in job["FailureReason"]
    lab.put("incode/data.csv", csv(FEATURES, LABELS))
    lab.put("incode/sourcedir.tar.gz", packed(train__py=TRAIN))
    job = lab.train(
        training(lab, f"s3://{lab.bucket}/incode/", "/opt/ml/input/data/train/sourcedir.tar.gz", strength=1)
    )
    assert job["TrainingJobStatus"] == "Completed", job


BY_NAME = """
import os, shutil
shutil.copy("/opt/ml/input/data/train/data.csv", "/opt/ml/model/copy.csv")
open("/opt/ml/output/data/note.txt", "w").write("written")
"""


@pytest.mark.parametrize("entrypoint", [[], ["python3", "/opt/ml/input/data/train/by_name.py"]])
def test_a_script_uses_opt_ml_by_name(lab: Lab, data: str, entrypoint: list[str]) -> None:
    lab.put("by-name/data.csv", "1,2\n")
    lab.put("by-name/by_name.py", BY_NAME)
    request = training(lab, f"s3://{lab.bucket}/by-name/", put_code(lab, train__py=BY_NAME))
    if entrypoint:
        request["AlgorithmSpecification"]["ContainerEntrypoint"] = entrypoint
    job = lab.train(request)
    if "/opt/ml is not available on this machine" in job.get("FailureReason", ""):
        pytest.skip(job["FailureReason"])
    assert job["TrainingJobStatus"] == "Completed", job
    assert unpacked_file(lab, job["ModelArtifacts"]["S3ModelArtifacts"], "copy.csv").read() == b"1,2\n"


def test_where_opt_ml_cannot_be_had_the_reason_says_so(lab: Lab, data: str) -> None:
    request = {
        **training(lab, data, put_code(lab, train__py=BY_NAME)),
        "Environment": {"MLOPS_SCRIPTS_WITHOUT_OPT_ML": "1"},
    }
    job = lab.train(request)
    assert "FileNotFoundError" in job["FailureReason"]
    assert "/opt/ml is not available on this machine" in job["FailureReason"]
    code = put_code(lab, train__py=TRAIN)
    done = lab.train({**training(lab, data, code, strength=1), "Environment": request["Environment"]})
    assert done["TrainingJobStatus"] == "Completed", done


WAIT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), sys.exit(0)))
open(os.path.join(os.environ["SM_MODEL_DIR"], "part"), "w").write("1")
print("waiting as", os.getpid(), flush=True)
time.sleep(600)
"""


def test_a_stopped_script_is_told_and_ends(lab: Lab, data: str) -> None:
    request = training(lab, data, put_code(lab, train__py=WAIT))
    lab.sagemaker.create_training_job(**request)
    running_script(lab, request["TrainingJobName"])
    lab.sagemaker.stop_training_job(TrainingJobName=request["TrainingJobName"])
    job = lab.finished(request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Stopped"
    assert "told to stop" in logged(lab, request["TrainingJobName"])


def test_a_script_ends_with_a_killed_account(start: Start) -> None:
    lab = Lab(start())
    request = training(lab, lab.put("d/data.csv", "1,2\n"), put_code(lab, train__py=WAIT.replace("sys.exit(0)", "0")))
    lab.sagemaker.create_training_job(**request)
    script = running_script(lab, request["TrainingJobName"])
    lab.account.kill()
    wait_for(lambda: not lives(script))


# --- serving -----------------------------------------------------------------------------------------------


def served(lab: Lab, artifact: str, image: str = SKLEARN, **environment: str) -> str:
    """An endpoint in service."""
    container = {"Image": image, "ModelDataUrl": artifact, "Environment": environment}
    endpoint = lab.endpoint(lab.config(lab.model(artifact, PrimaryContainer=container)))
    found = lab.settled(endpoint)
    assert found["EndpointStatus"] == "InService", found
    return endpoint


def test_an_endpoint_predicts_what_the_model_predicts(lab: Lab, trained: dict[str, Any]) -> None:
    artifact = trained["ModelArtifacts"]["S3ModelArtifacts"]
    model = joblib.load(unpacked_file(lab, artifact, "model.joblib"))
    code = put_code(lab, inference__py=SERVE)
    endpoint = served(lab, artifact, SAGEMAKER_PROGRAM="inference.py", SAGEMAKER_SUBMIT_DIRECTORY=code)
    expected = model.predict(FEATURES[:20]).tolist()
    assert json.loads(lab.invoke(endpoint, csv(FEATURES[:20]))) == expected
    assert json.loads(lab.invoke(endpoint, json.dumps(FEATURES[:20].tolist()), "application/json")) == expected
    assert lab.invoke(endpoint, csv(FEATURES[:20]), Accept="text/csv").split() == [str(one) for one in expected]
    for kind, accept, status in (("image/png", "", 415), ("text/csv", "image/png", 406)):
        with pytest.raises(ClientError) as caught:
            lab.invoke(endpoint, csv(FEATURES[:2]), kind, Accept=accept or "*/*")
        assert caught.value.response["OriginalStatusCode"] == status


OWN = """
import json, os, time

def model_fn(model_dir):
    return {"files": sorted(os.listdir(model_dir)), "process": os.getpid()}

def input_fn(body, content_type):
    return json.loads(body)

def predict_fn(given, model):
    if given == "exit":
        os._exit(3)
    if given == "fail":
        raise KeyError("no such feature")
    if given == "slow":
        time.sleep(600)
    time.sleep(0.01)
    return {**model, "given": given, "mine": os.environ.get("MINE")}

def output_fn(prediction, accept):
    print("answering", accept)
    return json.dumps(prediction), "application/vnd.own+json"
"""


@pytest.fixture(scope="module")
def own(lab: Lab) -> str:
    """An endpoint whose model brings its code, and answers with all functions of its own."""
    artifact = lab.put(f"{unique('own')}/model.tar.gz", packed(code___inference__py=OWN, weights__txt="1"))
    return served(
        lab,
        artifact,
        SAGEMAKER_PROGRAM="inference.py",
        SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/code",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/own",
        MINE="yes",
    )


def asked(lab: Lab, endpoint: str, given: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(lab.invoke(endpoint, json.dumps(given), "application/json"))
    return answer


def test_the_models_own_code_answers(lab: Lab, own: str) -> None:
    answer = lab.runtime.invoke_endpoint(EndpointName=own, Body=b'"row"', ContentType="application/json")
    assert answer["ContentType"] == "application/vnd.own+json"
    said = json.loads(answer["Body"].read())
    assert (said["files"], said["given"], said["mine"]) == (["code", "weights.txt"], "row", "yes")
    wait_for(lambda: "answering text/own" in logged(lab, "AllTraffic", f"/aws/sagemaker/Endpoints/{own}"))


def test_many_at_once_are_answered_each_with_its_own(lab: Lab, own: str) -> None:
    given = [f"row {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: asked(lab, own, one)["given"], given))
    assert answers == given


def test_a_script_that_fails_or_crashes_is_a_500_and_starts_again(lab: Lab, own: str) -> None:
    first = asked(lab, own, "row")["process"]
    with pytest.raises(ClientError) as caught:
        asked(lab, own, "fail")
    assert caught.value.response["OriginalStatusCode"] == 500
    assert "KeyError: 'no such feature'" in caught.value.response["OriginalMessage"]
    assert asked(lab, own, "row")["process"] == first
    with pytest.raises(ClientError) as caught:
        asked(lab, own, "exit")
    assert caught.value.response["OriginalStatusCode"] == 500
    assert "ended with code 3" in caught.value.response["OriginalMessage"]
    assert asked(lab, own, "row")["process"] != first


@pytest.mark.slow
def test_a_slow_script_times_out_after_a_minute(lab: Lab, own: str) -> None:
    start = time.monotonic()
    runtime = lab.account.client("sagemaker-runtime", config=_patient())
    with pytest.raises(ClientError, match="invocation timed out"):
        runtime.invoke_endpoint(EndpointName=own, Body=b'"slow"', ContentType="application/json")
    assert 59 < time.monotonic() - start < 75
    assert asked(lab, own, "row")["given"] == "row"


def _patient() -> Any:
    from botocore.config import Config

    return Config(read_timeout=100, retries={"max_attempts": 1})


def test_processes_end_with_their_endpoint_and_their_update(lab: Lab, trained: dict[str, Any]) -> None:
    artifact = lab.put(f"{unique('own')}/model.tar.gz", packed(code___inference__py=OWN))
    where = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    endpoint = served(lab, artifact, **where)
    first = asked(lab, endpoint, "row")["process"]
    container = {"Image": SKLEARN, "ModelDataUrl": artifact, "Environment": where}
    lab.sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=lab.config(lab.model(artifact, PrimaryContainer=container))
    )
    lab.settled(endpoint)
    wait_for(lambda: not lives(first))
    second = asked(lab, endpoint, "row")["process"]
    lab.sagemaker.delete_endpoint(EndpointName=endpoint)
    wait_for(lambda: not lives(second))


@pytest.mark.parametrize(
    ("code", "environment", "reason"),
    [
        (SERVE, {}, "Set SAGEMAKER_PROGRAM in the container's environment"),
        (SERVE, {"SAGEMAKER_PROGRAM": "inference.py"}, "the folder of the code"),
        ("import nothing_like_it", None, "ModuleNotFoundError: No module named 'nothing_like_it'"),
        (SERVE, None, "FileNotFoundError"),
        ("x = 1", None, "Please provide a model_fn implementation"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_the_endpoint(
    lab: Lab, code: str, environment: dict[str, str] | None, reason: str
) -> None:
    if environment is None:
        environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    artifact = lab.put(f"{unique('bad')}/model.tar.gz", packed(code___inference__py=code))
    container = {"Image": SKLEARN, "ModelDataUrl": artifact, "Environment": environment}
    found = lab.settled(lab.endpoint(lab.config(lab.model(artifact, PrimaryContainer=container))))
    assert found["EndpointStatus"] == "Failed"
    assert reason in found["FailureReason"]


def test_a_batch_transform_job_asks_the_script(lab: Lab, trained: dict[str, Any]) -> None:
    artifact, code = trained["ModelArtifacts"]["S3ModelArtifacts"], put_code(lab, inference__py=SERVE)
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": code}
    container = {"Image": SKLEARN, "ModelDataUrl": artifact, "Environment": environment}
    name = unique("transform")
    lab.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=lab.model(artifact, PrimaryContainer=container),
        TransformInput={
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": lab.put(f"{name}/a.csv", csv(FEATURES))}
            },
            "ContentType": "text/csv",
        },
        TransformOutput={"S3OutputPath": f"s3://{lab.bucket}/{name}/out", "Accept": "text/csv"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def status() -> str | None:
        found = lab.sagemaker.describe_transform_job(TransformJobName=name)
        return None if found["TransformJobStatus"] == "InProgress" else str(found["TransformJobStatus"])

    assert wait_for(status) == "Completed"
    written = lab.s3.get_object(Bucket=lab.bucket, Key=f"{name}/out/a.csv.out")["Body"].read().decode()
    model = joblib.load(unpacked_file(lab, artifact, "model.joblib"))
    assert [float(one) for one in written.split()] == model.predict(FEATURES).tolist()


XGBOOST_TRAIN = """
import os, xgboost, pandas
table = pandas.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "data.csv"), header=None).values
data = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
xgboost.train({"max_depth": 2}, data, 5).save_model(os.path.join(os.environ["SM_MODEL_DIR"], "model.ubj"))
"""
XGBOOST_SERVE = """
import os, xgboost
def model_fn(model_dir):
    return xgboost.Booster(model_file=os.path.join(model_dir, "model.ubj"))
"""


def test_the_xgboost_image_runs_scripts_too(lab: Lab, data: str) -> None:
    code = put_code(lab, train__py=XGBOOST_TRAIN, serve__py=XGBOOST_SERVE)
    job = lab.train(training(lab, data, code, XGBOOST))
    assert job["TrainingJobStatus"] == "Completed", job
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"]
    endpoint = served(lab, artifact, XGBOOST, SAGEMAKER_PROGRAM="serve.py", SAGEMAKER_SUBMIT_DIRECTORY=code)
    trained_here = xgboost.train({"max_depth": 2}, xgboost.DMatrix(FEATURES.astype(float), label=LABELS), 5)
    expected = trained_here.predict(xgboost.DMatrix(FEATURES[:10]))
    assert json.loads(lab.invoke(endpoint, csv(FEATURES[:10]))) == pytest.approx(expected.tolist(), rel=1e-5)
    libsvm = "".join(" ".join(f"{i}:{v!r}" for i, v in enumerate(row)) + "\n" for row in FEATURES[:10].tolist())
    answer = lab.invoke(endpoint, libsvm, "text/libsvm", Accept="text/csv")
    assert [float(one) for one in answer.split()] == pytest.approx(expected.tolist(), rel=1e-5)
    assert np.isfinite(expected).all()


def test_a_definition_of_a_metric_must_capture_a_value(lab: Lab, data: str) -> None:
    for regex, wrong in (("loss=(", "is not a regular expression"), ("loss=.*", "has no group")):
        request = training(lab, data, "s3://b/k")
        request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": regex}]
        with pytest.raises(ClientError, match=wrong):
            lab.sagemaker.create_training_job(**request)


def test_signals_are_named() -> None:
    from mlops.local.containers.scripts import child

    assert (
        child.last_error(["Traceback (most recent call last):", '  File "x"', "ValueError: a", "b"])
        == "ValueError: a b"
    )
    assert child.last_error(["usage: x [-h]", "x: error: unknown"]) == "x: error: unknown"
    assert child._signal_name(-signal.SIGKILL) == "the process was ended by SIGKILL"
