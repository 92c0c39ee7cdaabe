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


MANIFEST = "model_training/blueprint.yaml"
SCHEMA = "model_training/request.schema.json"
DEFINITIONS = "_parts/definitions.yaml"
FIELDS = "_parts/training_fields.yaml"
TUNING = "model_tuning/request.schema.json"
TEMPLATE = "model_training/template.yaml"
TRAINING = "_parts/training.yaml"
RULES = "_parts/training_rules.yaml"
PARAMETERS = "_parts/training_parameters.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            MANIFEST,
            "stack_suffix: ModelTraining",
            "stack_suffix: byompipelinerealtimecustom",
            "their stacks would be one",
        ),
        (MANIFEST, "rules:", "rulse:", "/rulse is an unknown key (did you mean 'rules'?)"),
        (MANIFEST, "identity: /model_name", "", "/identity is missing"),
        (MANIFEST, "delivery: home", "delivery: hom", "did you mean 'home'?"),
        (MANIFEST, "stack_suffix:", "stack_sufix:", "did you mean 'stack_suffix'?"),
        (RULES, "/use_spot_instances\n", "/use_spots\n", "/use_spots is not described"),
        (PARAMETERS, "training_image", "trainig_image", "no lookup 'trainig_image'"),
        ("realtime_inference/blueprint.yaml", "[EndpointName]", "[Endpoint]", "Endpoint, which is not a parameter"),
        ("realtime_inference/blueprint.yaml", "per_stage: true", "per_stages: true", "did you mean 'per_stage'?"),
        ("realtime_inference/blueprint.yaml", "run: false", "run: true", "StateMachineVersionArn"),
        (TRAINING, "!Ref JobName", "!Ref JobNam", "Ref JobNam"),
        (TRAINING, "${TrainingData}", "${TrainingDat}", "Ref TrainingDat"),
        (TEMPLATE, "!GetAtt StateMachineRole.Arn", "!GetAtt Role.Arn", "Fn::GetAtt Role"),
        (TRAINING, "  TrainingRole:\n", "  TrainingRole:\n    DependsOn: Role\n", "DependsOn Role"),
        (TRAINING, "- HasValidation", "- HasData", "Condition HasData"),
        (
            RULES,
            "  because: only",
            "  becuase: only",
            "/rules/2/becuase is an unknown key (did you mean 'because'?)",
        ),
        (
            RULES,
            "not_less: [/max_wait",
            "not_less: [/maximum_wait",
            "/maximum_wait_time_spot_instances is not described",
        ),
        (RULES, "needs: {/data_input_mode", "needs: {/data_mode", "/data_mode is not described"),
        (RULES, "/s3_data_type: Aug", "/data_type: Aug", "/data_type is not described"),
        (MANIFEST, "identity: /model_name", "identity: model_name", "/identity"),
        (MANIFEST, "kind: training", "kin: training", "did you mean 'kind'?"),
        (MANIFEST, ", kind: training", "", "/JobName needs 'kind', an argument of the lookup"),
        (MANIFEST, "kind: training", "kind: A B", "/JobName has 'kind' 'A B': write a short word"),
        (
            PARAMETERS,
            "training_image}",
            "training_image, kind: x}",
            "/ImageUri has 'kind', and the lookup training_image has no such argument",
        ),
        (
            PARAMETERS,
            "{from: /instance_count}",
            "{from: /instance_count, kind: x}",
            "/JobInstanceCount has 'kind', and only a lookup has arguments",
        ),
        (
            "realtime_inference/blueprint.yaml",
            "instance: /inference_instance",
            "instance: /inference_instanc",
            "/VolumeKmsKeyArn has 'instance' '/inference_instanc', which is not described by the request schema",
        ),
        (
            MANIFEST,
            "required: [model_name, ",
            "required: [",
            "/pipeline_types/model_training_builtin/required lacks model_name, which names a pipeline",
        ),
        (MANIFEST, "summary: ", "summary: [", "model_training/blueprint.yaml: while parsing"),
        (MANIFEST, "run: true", "run: true\nrun: true", "duplicate keys: ['run']"),
        (SCHEMA, '"properties": {', '"propertys": {', "has no properties"),
        (SCHEMA, '"title": "Training request",', '"title": ,', "line 3 column"),
        (FIELDS, "description: Use spot", "descr: Use spot", "did you mean"),
        (
            FIELDS,
            "type: boolean\n  description: Use",
            "type: bool\n  description: Use",
            "use_spot_instances/type 'bool' is not an allowed value (did you mean 'boolean'?)",
        ),
        (FIELDS, "#/$defs/content_type", "#/$defs/contents", "no definition '#/$defs/contents'"),
        (FIELDS, "sagemaker:Train", "sagemaker:Trin", "x-enum: 'sagemaker:TriningInstance"),
        ("realtime_inference/request.schema.json", "(-*[a-zA-Z0-9])*$", "(-*[a-zA-Z0-9)*$", "not a regular expression"),
        (FIELDS, "x-values: true", "x-valuse: true", "did you mean 'x-values'?"),
        (FIELDS, "x-values: true", "x-shown: true\n  x-values: true", "x-shown is an unknown key"),
        (
            DEFINITIONS,
            "x-names: image",
            "x-names: imag",
            "x-names is 'imag', not one of",
        ),
        (
            DEFINITIONS,
            "x-resolves: model_a",
            "x-resolves: modl_a",
            "modl_artifact_location",
        ),
        (FIELDS, ": /model_framework_version", ": /version", "names /version, which is not"),
        (
            TUNING,
            '"settings": "/tuner_configs"',
            '"settings": "/tuner"',
            "x-tuning names /tuner, which is not described",
        ),
        (TUNING, '"settings": "/tuner_configs"', '"setting": "/tuner_configs"', "did you mean 'settings'?"),
        (
            TUNING,
            '["training_fields"',
            '["training_field"',
            "'training_field', which is not in _parts",
        ),
        (
            MANIFEST,
            "Include: [training_rules, ",
            "Include: [training_rule, ",
            "'training_rule', which is not in _parts",
        ),
        (TEMPLATE, "Resources:", "Resourcs:", "'Resourcs' is not a template section"),
        (TRAINING, "Type: AWS::IAM::Role", "Typ: AWS::IAM::Role", "Resources/TrainingRole has no Type"),
        (TEMPLATE, "Include: [state_machine,", "Include: [stat,", "includes 'stat', which is not"),
        ("delivery/single.yaml", "!Ref ArtifactBucket", "!Ref Bucket", "delivery/single.yaml: undefined names"),
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
