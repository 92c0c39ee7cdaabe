# SPDX-License-Identifier: Apache-2.0
"""An image's version trains the model that its own xgboost trains, held against what the real versions predict.

tests/local/xgboost/recorded/predictions.json has their predictions; record.py beside it made them.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import xgboost
from mlops.local.containers.xgboost import train, versions
from mlops.local.containers.xgboost.errors import UserError
from mlops.local.containers.xgboost.serve import XGBoostPredictor

from tests.local.xgboost.recorded import cases
from tests.support.lab import IMAGE

RECORDED = json.loads((Path(__file__).parent / "recorded" / "predictions.json").read_text())
IMAGES = ("latest", "0.90-2", "1.0-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5", "3.2-0")
TOLERANCE = 1e-5  # relative, where a model is said to be the same; predictions are recorded with six digits


def _uri(image: str) -> str:
    name = "xgboost" if image == "latest" else "sagemaker-xgboost"
    return IMAGE.replace("sagemaker-xgboost:1.7-1", f"{name}:{image}")


def _cells(row: list[float]) -> list[str]:
    return ["" if cell != cell else repr(cell) for cell in row]


def _csv(rows: list[list[float]], labels: list[float]) -> str:
    return "".join(",".join([repr(label), *_cells(row)]) + "\n" for label, row in zip(labels, rows, strict=True))


def _libsvm(rows: list[list[float]], labels: list[float], groups: int) -> str:
    size = len(rows) // groups
    lines = []
    for number, (label, row) in enumerate(zip(labels, rows, strict=True)):
        cells = [f"{index}:{cell!r}" for index, cell in enumerate(row) if cell == cell]
        lines.append(" ".join([repr(label), f"qid:{number // size}", *cells]) + "\n")
    return "".join(lines)


def _trained(case: cases.Case, image: str, tree: Path) -> list[float]:
    """What the model that a training job's folder tree gives predicts."""
    for part in ("input/config", "input/data/train", "model", "output"):
        (tree / part).mkdir(parents=True)
    rows = cases.training_rows()
    labels = cases.labels(case, rows)
    kind, text = ("libsvm", _libsvm(rows, labels, case.groups)) if case.groups else ("csv", _csv(rows, labels))
    (tree / "input/data/train/part-0").write_text(text)
    (tree / "input/config/inputdataconfig.json").write_text(json.dumps({"train": {"ContentType": kind}}))
    given = {**case.parameters, "num_round": str(case.rounds), "nthread": "1"}
    if image == "latest" and given.get("objective") == "reg:squarederror":
        given["objective"] = "reg:linear"  # its name then
    (tree / "input/config/hyperparameters.json").write_text(json.dumps(given))
    train.train(tree, versions.of_image(_uri(image)))
    model = XGBoostPredictor(xgboost.Booster(model_file=tree / "model" / "xgboost-model"))
    body = "\n".join(",".join(_cells(row)) for row in cases.unseen_rows())
    answer = model.invoke(body.encode(), "text/csv", "").body.decode()
    return [float(number) for number in re.findall(r"[-+.\deE]+", answer)]


def _recorded(name: str, image: str) -> dict[str, Any] | None:
    return next((one for one in RECORDED[name] if image in one["images"]), None)


def _reported(output: str) -> list[Any]:
    *_, (metric, value) = re.findall(r"\ttrain-(\S+):(\S+)", output)
    return [metric, float(value)]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of reg:linear and updater, which old versions need
@pytest.mark.parametrize("image", IMAGES)
def test_a_model_is_the_one_its_version_trains(image: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, case in cases.CASES.items():
        recorded = _recorded(name, image)
        if recorded is None:
            with pytest.raises(UserError, match=r"is not in xgboost \d"):
                _trained(case, image, tmp_path / name)
            continue
        predictions = _trained(case, image, tmp_path / name)
        output = capfd.readouterr().out
        same = predictions == pytest.approx(recorded["predictions"], rel=TOLERANCE, abs=1e-6)
        metric, value = _reported(output)
        if (
            f"The model differs from the model that xgboost {versions.text(versions.of_image(_uri(image)))} trains"
            in output
        ):
            assert not same, f"{name}: it is said to differ, and does not"
        else:
            assert same, (name, predictions, recorded["predictions"])
            assert metric == recorded["metric"][0], name
            if (case.parameters.get("objective"), image) == ("binary:logitraw", "1.5-1"):
                continue  # from 1.4 to 1.5 its logloss was that of the margins
            assert value == pytest.approx(recorded["metric"][1], rel=1e-3, abs=1e-3), name


def test_every_version_that_sagemaker_ships_is_recorded() -> None:
    table = json.loads((Path(__file__).parents[3] / "orchestrator/chalicelib/images/image_uris.json").read_text())
    shipped = {versions.of_image(_uri(tag)) for tag in table["frameworks"]["xgboost"]["training"] if tag != "1"}
    assert shipped == {versions.of_image(_uri(image)) for image in IMAGES}
    assert all(_recorded("binary", image) for image in IMAGES)


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("sagemaker-xgboost:1.7-1", (1, 7)),
        ("sagemaker-xgboost:0.90-2-cpu-py3", (0, 90)),
        ("xgboost:1", (0, 72)),
        ("sagemaker-xgboost:1.3-1-arm64", (1, 3)),
        ("xgboost:latest", (0, 72)),
        ("sagemaker-xgboost", (0, 72)),
        ("sagemaker-xgboost@sha256:0123abcd", versions.INSTALLED),
    ],
)
def test_the_version_of_an_image(tag: str, version: versions.Version) -> None:
    assert versions.of_image(f"683313688378.dkr.ecr.us-east-1.amazonaws.com/{tag}") == version


def test_many_rows_are_approximated() -> None:
    assert versions.defaults({}, (1, 7), 4_194_304)["tree_method"] == "exact"
    assert versions.defaults({}, (1, 7), 4_194_305)["tree_method"] == "approx"
    assert "tree_method" not in versions.defaults({}, (3, 0), 10)
