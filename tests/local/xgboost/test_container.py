# SPDX-License-Identifier: Apache-2.0
"""The built-in XGBoost image as a program on a folder tree, without an account around it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xgboost
from mlops.local import containers
from mlops.local.containers import InferenceError, Job, Model, ModelLoadError
from mlops.local.containers.xgboost import hyperparameters, metrics
from mlops.local.containers.xgboost.data import DataError, delimiter_of, read_csv, read_libsvm
from mlops.local.containers.xgboost.errors import UserError
from mlops.local.containers.xgboost.serve import XGBoostPredictor

from tests.support.lab import IMAGE, csv, labels, libsvm, rows

FEATURES = rows()
BINARY = {"objective": "binary:logistic", "num_round": "5"}
Channels = dict[str, tuple[str, dict[str, str]]]  # name -> content type, files
Train = Callable[..., tuple[Path, str]]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Run the training program; the tree and its output."""

    def run(given: dict[str, str], channels: Channels, image: str = IMAGE) -> tuple[Path, str]:
        for part in ("input/config", "input/data", "model", "output/data"):
            (tmp_path / part).mkdir(parents=True)
        for name, (_, files) in channels.items():
            (tmp_path / "input/data" / name).mkdir()
            for file, text in files.items():
                (tmp_path / "input/data" / name / file).write_text(text)
        config = {name: {"ContentType": kind} for name, (kind, _) in channels.items()}
        (tmp_path / "input/config/inputdataconfig.json").write_text(json.dumps(config))
        (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
        container = containers.find(IMAGE)
        assert container is not None
        with subprocess.Popen(
            container.training(Job(tmp_path, image)).command,
            stdin=subprocess.PIPE,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            output = process.stdout.read()
        return tmp_path, output

    return run


def _failure(tree: Path) -> str:
    return (tree / "output/failure").read_text()


def _model(tree: Path) -> xgboost.Booster:
    return xgboost.Booster(model_file=tree / "model/xgboost-model")


# --- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "257758044811.dkr.ecr.us-east-2.amazonaws.com/sagemaker-xgboost:0.90-2-cpu-py3",
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost@sha256:0123abcd",
        "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5",
        "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1",
        "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest",
    ],
)
def test_every_xgboost_image_is_known(image: str) -> None:
    assert containers.find(image)


@pytest.mark.parametrize(
    "image",
    [
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-sparkml-serving:3.3",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-xgboost:1",
        "xgboost:1",
        "docker.io/sagemaker-xgboost:1.7-1",
    ],
)
def test_other_images_are_not(image: str) -> None:
    assert containers.find(image) is None
    assert image in containers.unknown_image(image)


# --- data --------------------------------------------------------------------------------------------------


def test_csv_with_empty_cells_blank_lines_and_other_delimiters() -> None:
    table = read_csv("1,2,\r\n\r\n4,,6\r\n", "f", ",")
    assert np.array_equal(table, np.array([[1, 2, np.nan], [4, np.nan, 6]], np.float32), equal_nan=True)
    for delimiter in ",;\t| ":
        text = delimiter.join("123") + "\n"
        assert delimiter_of(text) == delimiter
        assert read_csv(text, "f", delimiter).tolist() == [[1, 2, 3]]


def test_libsvm_with_weights_groups_comments_and_gaps() -> None:
    data = read_libsvm([("f", "1:0.5 qid:1 0:3 2:4 # why\n0:2 qid:2 1:5\n")], labelled=True)
    assert data.features.toarray().tolist() == [[3, 0, 4], [0, 5, 0]]
    assert data.labels.tolist() == [1, 0]
    assert data.weights.tolist() == [0.5, 2]  # type: ignore[union-attr]
    assert data.groups.tolist() == [1, 2]  # type: ignore[union-attr]
    with pytest.raises(DataError, match="f line 2: 'x:1'"):
        read_libsvm([("f", "1 0:1\n1 x:1\n")], labelled=True)


def test_one_based_libsvm_leaves_column_zero_empty(train: Train) -> None:
    tree, _ = train(BINARY, {"train": ("libsvm", {"a": libsvm(FEATURES, labels(FEATURES), first=1)})})
    assert _model(tree).num_features() == FEATURES.shape[1] + 1


# --- where training starts from ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "given", "score"), [("1.7-1", {}, 0.5), ("3.0-5", {}, 0.3), ("1.7-1", {"base_score": "0.25"}, 0.25)]
)
def test_the_base_score_is_the_image_versions(train: Train, version: str, given: dict[str, str], score: float) -> None:
    label = np.array([1] * 60 + [0] * 140)
    tree, _ = train(BINARY | given, {"train": ("csv", {"a": csv(FEATURES, label)})}, IMAGE.replace("1.7-1", version))
    config = json.loads(_model(tree).save_config())
    found = config["learner"]["learner_model_param"]["base_score"]
    assert float(found.strip("[]")) == pytest.approx(score, abs=1e-4)


def test_labels_of_one_class_can_be_trained_on(train: Train) -> None:
    tree, output = train(BINARY, {"train": ("csv", {"a": csv(FEATURES, np.zeros(200, int))})})
    assert (tree / "model/xgboost-model").exists(), output


# --- training ----------------------------------------------------------------------------------------------


def test_metrics_are_printed_each_round_and_read_from_the_log(train: Train) -> None:
    data = csv(FEATURES, labels(FEATURES))
    given = {**BINARY, "eval_metric": "auc,error@0.7,f1"}
    _, output = train(given, {"train": ("csv", {"a": data}), "validation": ("text/csv", {"b": data})})
    assert "[0]\ttrain-auc:" in output
    container = containers.find(IMAGE)
    assert container is not None
    reported = container.metrics(output)
    assert reported.keys() == {
        f"{part}:{name}" for part in ("train", "validation") for name in ("auc", "error@0.7", "f1")
    }


def test_weights_come_from_the_second_column_if_asked(train: Train) -> None:
    label, weights = labels(FEATURES), np.linspace(0, 1, len(FEATURES), dtype=np.float32)
    weighted = np.column_stack([weights, FEATURES])
    tree, _ = train(
        {**BINARY, "csv_weights": "1"},
        {"train": ("csv", {"a": csv(weighted, label)}), "validation": ("csv", {"b": csv(FEATURES, label)})},
    )
    expected = xgboost.train(
        {"objective": "binary:logistic", "base_score": 0.5, "tree_method": "exact"},
        xgboost.DMatrix(FEATURES, label=label, weight=weights),
        5,
    )
    unseen = xgboost.DMatrix(rows(seed=4))
    assert np.array_equal(_model(tree).predict(unseen), expected.predict(unseen))


@pytest.mark.parametrize(
    "given",
    [
        {"objective": "multi:softprob", "num_class": "2", "eval_metric": "mlogloss,accuracy,recall_macro"},
        {"objective": "reg:squarederror", "eval_metric": "rmse,r2,mse"},
        {"objective": "reg:linear"},
        {"objective": "count:poisson"},
        {"objective": "rank:pairwise"},
        {"booster": "dart", "rate_drop": "0.1"},
        {"booster": "gblinear", "updater": "coord_descent"},
        {"tree_method": "hist", "grow_policy": "lossguide"},
        {"monotone_constraints": "(1,0,0,0,0,-1)", "tree_method": "hist"},
        {"_tuning_objective_metric": "validation:rmse"},
        {"silent": "0", "seed": "-5", "base_score": "0.3"},
    ],
)
def test_what_can_be_trained(train: Train, given: dict[str, str]) -> None:
    data = csv(FEATURES, labels(FEATURES))
    channels = {"train": ("csv", {"a": data}), "validation": ("csv", {"a": data})}
    tree, output = train({"num_round": "3", **given}, channels)
    assert not (tree / "output/failure").exists(), output
    assert _model(tree).num_features() == FEATURES.shape[1]


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ({"validation": ("csv", {"a": "1,2\n"})}, "Missing required channel: train"),
        ({"train": ("csv", {"a": "1,2\n"}), "test": ("csv", {"a": "1,2\n"})}, "Extraneous channel found: test"),
        (
            {"train": ("csv", {"a": "1,2\n0,1\n"}), "validation": ("csv", {"a": "1,2,3\n"})},
            "a has 2 features, and the train channel has 1",
        ),
        ({"train": ("csv", {"a": "1,2\n", "b": "1,2,3\n"})}, "b has 3 columns, and a has 2"),
        ({"train": ("csv", {"a": "1,2\n,3\n"})}, "row 2 has no label"),
        ({"train": ("csv", {"a": "1,2\n0,inf\n"})}, "row 2 has an infinite feature"),
        ({"train": ("csv", {"a": "1\n0\n"})}, "no feature columns"),
        ({"train": ("libsvm", {"a": "1,2,3\n"})}, "a line 1, label: '1,2,3' is not a number"),
        ({"train": ("application/x-parquet", {"a": "PAR1"})}, "reads CSV and libsvm, not application/x-parquet"),
        ({"train": ("text/csv;label_size=2", {"a": "1,2"})}, "label_size must be equal to 1"),
        ({"train": ("image/png", {"a": "1,2"})}, "image/png is not an accepted ContentType"),
    ],
)
def test_channels_that_cannot_be_read(train: Train, channels: Channels, reason: str) -> None:
    tree, _ = train(BINARY, channels)
    assert reason in _failure(tree)
    assert _failure(tree).startswith("ClientError: ")


def test_the_process_ends_when_its_input_does(tmp_path: Path, train: Train) -> None:
    data = {"train": ("csv", {"a": csv(FEATURES, labels(FEATURES))})}
    tree, _ = train(BINARY, data)
    (tree / "input/config/hyperparameters.json").write_text(json.dumps({**BINARY, "num_round": "10000000"}))
    container = containers.find(IMAGE)
    assert container is not None
    command = container.training(Job(tree, IMAGE)).command
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 1


# --- hyperparameters and metrics ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"subsample": "0"}, "subsample: 0 is not in (0, 1]"),
        ({"max_depth": "1.5"}, "max_depth: could not parse"),
        ({"eta": "nan"}, "eta: nan is not in"),
        ({"booster": "tree"}, "booster: tree is not in ['gbtree'"),
        ({"num_round": "0"}, "num_round: 0 is not in [1, inf"),
        ({"eval_metric": "auc,foo"}, "eval_metric"),
        ({"eval_metric": "rmse@2"}, "other metrics have no threshold"),
        ({"num_class": "3"}, "Do not need to setup"),
        ({"eval_metric": "auc"}, "Metric 'auc' can only be applied"),
        ({"tree_method": "gpu_hist"}, "GPU"),
        ({"monotone_constraints": "up"}, "monotone_constraints"),
    ],
)
def test_hyperparameters_that_are_refused(given: dict[str, str], reason: str) -> None:
    with pytest.raises(UserError) as caught:
        hyperparameters.validate({"num_round": "1", **given})
    assert reason in str(caught.value)


def test_computed_metrics() -> None:
    truth, guess = np.array([1, 1, 0, 0, 1.0]), np.array([0.9, 0.2, 0.1, 0.8, 0.7])
    values = {name: round(measure(truth, guess), 4) for name, measure in metrics.COMPUTED_HERE.items()}
    assert values["accuracy"] == values["precision_micro"] == values["recall_micro"] == 0.6
    assert values["precision"] == values["recall"] == values["f1_binary"] == 0.6667
    assert values["balanced_accuracy"] == values["recall_macro"] == values["f1_macro"] == 0.5833
    assert values["mse"] == round(float(np.mean((truth - guess) ** 2)), 4)
    assert values["r2"] == round(1 - values["mse"] / float(np.var(truth)), 4)
    classes = np.array([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    assert metrics.COMPUTED_HERE["accuracy"](np.array([1, 0, 0.0]), classes) == pytest.approx(2 / 3)


# --- serving -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predictor() -> XGBoostPredictor:
    return XGBoostPredictor(xgboost.train({}, xgboost.DMatrix(FEATURES, label=FEATURES[:, 0]), 2))


@pytest.mark.parametrize("accept", ["", "*/*", "text/csv", "text/csv; charset=utf-8", "image/png, text/csv"])
def test_csv_is_the_default_answer(predictor: XGBoostPredictor, accept: str) -> None:
    assert predictor.invoke(b"1,2,3,4,5,6", "text/csv", accept).content_type == "text/csv; charset=utf-8"


def test_an_answer_nobody_can_give(predictor: XGBoostPredictor) -> None:
    with pytest.raises(InferenceError) as caught:
        predictor.invoke(b"1,2,3,4,5,6", "text/csv", "image/png")
    assert caught.value.status == 406


@pytest.mark.parametrize(
    "body", ["[1, 2, 3, 4, 5, null]", "[[1, 2, 3, 4, 5, null]]", '{"instances": [[1, 2, 3, 4, 5, null]]}']
)
def test_json_rows_may_have_missing_values(predictor: XGBoostPredictor, body: str) -> None:
    csv_answer = predictor.invoke(b"1,2,3,4,5,", "text/csv", "")
    assert predictor.invoke(body.encode(), "application/json", "text/csv") == csv_answer


@pytest.mark.parametrize("body", ["[]", "{}", "3", "[[true]]", '[["1"]]', "[" * 100_000, '{"instances": [{}]}'])
def test_json_that_is_not_rows(predictor: XGBoostPredictor, body: str) -> None:
    with pytest.raises(InferenceError) as caught:
        predictor.invoke(body.encode(), "application/json", "")
    assert caught.value.status == 400


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(b"\x80\x04c")
    container = containers.find(IMAGE)
    assert container is not None
    with pytest.raises(ModelLoadError, match="Python pickle"):
        container.load(Model(tmp_path))
