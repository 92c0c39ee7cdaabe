# SPDX-License-Identifier: Apache-2.0
"""What does not hold together in a blueprint folder is refused when it is compiled, by its name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlops.templates import BlueprintError, cfn_yaml, compile_catalog

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
Compile = Callable[..., dict[str, Any]]


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    """Compiles the blueprints with one text in one file replaced; gives the template of that file's folder."""

    def compile_changed(file: str, old: str, new: str) -> dict[str, Any]:
        blueprints = shutil.copytree(BLUEPRINTS, tmp_path / "blueprints", dirs_exist_ok=True)
        text = (blueprints / file).read_text("utf-8")
        assert old in text
        (blueprints / file).write_text(text.replace(old, new), "utf-8")
        compile_catalog(blueprints, tmp_path / "catalog")
        template: dict[str, Any] = cfn_yaml.load(
            (tmp_path / "catalog" / f"{Path(file).parent}.yaml").read_text("utf-8")
        )
        return template

    return compile_changed


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "model_training/blueprint.yaml",
            "stack_suffix: ModelTraining",
            "stack_suffix: byompipelinerealtimecustom",
            "their stacks would be one",
        ),
        ("model_training/blueprint.yaml", "rules:", "rulse:", "/rulse is not a known key (did you mean 'rules'?)"),
        ("model_training/blueprint.yaml", "identity: /model_name", "", "/identity is missing"),
        ("model_training/blueprint.yaml", "delivery: home", "delivery: hom", "did you mean 'home'?"),
        ("model_training/blueprint.yaml", "stack_suffix:", "stack_sufix:", "did you mean 'stack_suffix'?"),
        ("model_training/blueprint.yaml", "/use_spot_instances\n", "/use_spots\n", "/use_spots is not described"),
        ("model_training/blueprint.yaml", "training_image", "trainig_image", "no lookup 'trainig_image'"),
        ("realtime_inference/blueprint.yaml", "[EndpointName]", "[Endpoint]", "Endpoint, which is no parameter"),
        ("realtime_inference/blueprint.yaml", "per_stage: true", "per_stages: true", "did you mean 'per_stage'?"),
        ("realtime_inference/blueprint.yaml", "run: false", "run: true", "StateMachineVersionArn"),
        ("model_training/template.yaml", "!Ref JobName", "!Ref JobNam", "Ref JobNam"),
        ("model_training/template.yaml", "${TrainingData}", "${TrainingDat}", "Ref TrainingDat"),
        ("model_training/template.yaml", "!GetAtt TrainingRole.Arn", "!GetAtt Role.Arn", "Fn::GetAtt Role"),
        ("model_training/template.yaml", "[JobPolicy, ", "[JobPolice, ", "DependsOn JobPolice"),
        ("model_training/template.yaml", "- HasKmsKey", "- HasKey", "Condition HasKey"),
        ("delivery/single.yaml", "!Ref ArtifactBucket", "!Ref Bucket", "delivery/single.yaml: nothing is called what"),
    ],
)
def test_what_leads_nowhere_is_refused(compiled: Compile, file: str, old: str, new: str, problem: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        compiled(file, old, new)
    assert problem in str(refused.value)


def test_a_changed_api_has_another_deployment(compiled: Compile) -> None:
    """A deployment is a snapshot: one that keeps its name keeps what it had."""

    def deployment(template: dict[str, Any]) -> str:
        (name,) = [key for key, one in template["Resources"].items() if one["Type"] == "AWS::ApiGateway::Deployment"]
        assert template["Resources"]["InferenceStage"]["Properties"]["DeploymentId"] == {"Ref": name}
        assert name.startswith("InferenceDeployment")
        return name

    file = "realtime_inference/template.yaml"
    before = deployment(compiled(file, "Predictions of", "Predictions of"))
    assert deployment(compiled(file, "Description: The endpoint\n", "Description: It\n")) == before
    assert deployment(compiled(file, "PathPart: inference", "PathPart: infer")) != before
    assert deployment(compiled(file, "HttpMethod: POST", "HttpMethod: PUT")) != before
