# SPDX-License-Identifier: Apache-2.0
"""`mlops types`, `explain` and `init`: what can be requested, told without an account."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from mlops.cli import main
from mlops.cli.catalogue import DELIVERY, pipeline_types
from mlops.cli.request_file import filled, without_comments

from .test_offline import EXAMPLES, TRAINING, mlops

TYPES = sorted(pipeline_types())
KEYS = [f"{name}.{field.name}" for name, one in pipeline_types().items() for field in one.fields]


def test_types_lists_every_type_with_its_summary_delivery_and_readme() -> None:
    lines = mlops("types").stdout.splitlines()
    assert [line.split()[0] for line in lines] == TYPES
    found = json.loads(mlops("types", "--json").stdout)
    assert [one["pipeline_type"] for one in found] == TYPES
    for one in found:
        assert Path(one["readme"]).is_file()
        assert one["summary"] in mlops("types").stdout
        assert one["delivery"] in DELIVERY.values()


@pytest.mark.parametrize("name", TYPES)
def test_explain_lists_every_key_of_a_type(name: str) -> None:
    done = mlops("explain", name)
    assert done.exit_code == 0
    for field in pipeline_types()[name].fields:
        assert f"  {field.name} " in done.stdout
        assert field.description in done.stdout


@pytest.mark.parametrize("key", KEYS)
def test_explain_describes_every_key(key: str) -> None:
    done = mlops("explain", key)
    assert done.exit_code == 0
    assert "Required" in done.stdout
    found = json.loads(mlops("explain", key, "--json").stdout)
    assert found["description"]
    assert found["type"]


def test_explain_says_what_a_key_takes() -> None:
    text = mlops("explain", "model_training_builtin.data_input_mode").stdout
    for part in ("File, Pipe, FastFile", '"File"', 'with s3_data_type "AugmentedManifestFile"'):
        assert part in text
    assert "600 to 259200" in mlops("explain", "model_training_builtin.max_runtime_per_job").stdout
    assert "algo_hyperparamaters" in mlops("explain", "model_training_builtin.algo_hyperparameters").stdout
    assert "1.7-1" in mlops("explain", "model_training_builtin.model_framework_version").stdout
    artifact = mlops("explain", "byom_realtime_builtin.model_artifact_location").stdout
    assert "specify model_artifact_location or model_from, not both" in artifact
    assert "None" not in artifact
    package = json.loads(mlops("explain", "byom_realtime_builtin.model_package_name", "--json").stdout)
    assert package["required"] is False
    assert package["required_when"] == ["the deployment uses the model registry"]


def test_explain_lists_the_keys_of_an_object() -> None:
    text = mlops("explain", "model_tuner_builtin.tuner_configs").stdout
    for part in (
        "Keys of the object",
        "objective_metric_name",
        "Required.",
        "One of Bayesian, Random, Grid, Hyperband.",
    ):
        assert part in text
    told = json.loads(mlops("explain", "model_tuner_builtin.tuner_configs", "--json").stdout)
    (strategy,) = [key for key in told["keys"] if key["name"] == "strategy"]
    assert (strategy["type"], strategy["default"], strategy["required"]) == ("string", "Bayesian", False)


def test_explain_knows_a_key_by_its_other_spelling() -> None:
    done = mlops("explain", "model_training_builtin.algo_hyperparamaters")
    assert done.stdout.startswith("model_training_builtin.algo_hyperparameters\n")


@pytest.mark.parametrize(
    ("command", "name", "hint"),
    [
        ("explain", "model_trainin_builtin", "'model_training_builtin'"),
        ("explain", "model_training_builtin.instance_typ", "'instance_type'"),
        ("init", "byom_realtime_bultin", "'byom_realtime_builtin'"),
    ],
)
def test_an_unknown_name_gets_the_nearest(command: str, name: str, hint: str) -> None:
    done = mlops(command, name)
    assert done.exit_code == 1
    assert f"did you mean {hint}?" in done.stderr


def in_variants() -> list[tuple[str, list[str]]]:
    registry = [name for name, one in pipeline_types().items() if any("registry" in f.variants for f in one.fields)]
    return [(name, []) for name in TYPES] + [(name, ["--registry"]) for name in registry]


@pytest.mark.parametrize(("name", "registry"), in_variants())
def test_what_init_writes_is_valid(name: str, registry: list[str]) -> None:
    written = mlops("init", name, *registry).stdout
    done = mlops("validate", "-", *registry, given=written)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(("name", "registry"), in_variants())
def test_any_optional_key_of_it_can_be_set_by_removing_its_slashes(name: str, registry: list[str]) -> None:
    written = mlops("init", name, *registry).stdout
    required, optional = pipeline_types()[name].fields_of(registry=bool(registry))
    kept = set(json.loads(without_comments(written.encode())))
    assert kept >= {"pipeline_type", *(one.name for one in required)}
    for field in optional:
        if field.name in kept:  # the values of required fields need it
            continue
        changed = written.replace(f'  // "{field.name}":', f'  "{field.name}":')
        assert changed != written
        request = json.loads(without_comments(changed.encode()))
        assert set(request) == {field.name, *kept}


def test_init_names_the_assets_bucket_by_its_output() -> None:
    assert '"data_capture_location": "${AssetsBucketName}/' in mlops("init", "byom_realtime_builtin").stdout


def test_init_writes_a_new_file_only(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    assert mlops("init", TYPES[0], "-o", file).exit_code == 0
    assert mlops("validate", file).exit_code == 0
    kept = file.read_text("utf-8")
    again = mlops("init", TYPES[-1], "-o", file)
    assert (again.exit_code, file.read_text("utf-8")) == (1, kept)
    assert "already exists" in again.stderr


def test_only_whole_lines_are_comments_and_lines_keep_their_numbers() -> None:
    text = b'// first\r\n{"a": "http://x",\n  // "b": 1,\n\t//c\n "d": 2}\n//'
    assert json.loads(without_comments(text)) == {"a": "http://x", "d": 2}
    assert without_comments(text).count(b"\n") == text.count(b"\n")
    wrong = mlops("validate", "-", given='// a comment\n{\n  "model_name": ?\n}')
    assert "line 3, column 17" in wrong.stderr


def test_a_request_without_comments_is_sent_as_it_is() -> None:
    text = TRAINING.read_bytes()
    assert without_comments(text) == text


def test_types_and_keys_complete() -> None:
    def completions(*words: str) -> list[str]:
        *given, incomplete = words
        return [item.value for item in BashComplete(main, {}, "mlops", "_").get_completions(given, incomplete)]

    assert completions("init", "model_tr") == ["model_training_builtin"]
    assert completions("explain", "model_tr") == ["model_training_builtin"]
    assert "model_training_builtin.model_name" in completions("explain", "model_training_builtin.model")


def test_a_new_folder_is_a_type_here_too(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "blueprints")
    copy = tmp_path / "blueprints" / "zzz"
    shutil.copytree(EXAMPLES / "model_training", copy)
    manifest = (copy / "blueprint.yaml").read_text("utf-8")
    manifest = manifest.replace("model_training_builtin:", "zzz_type:").replace("ModelTraining", "Zzz")
    (copy / "blueprint.yaml").write_text(manifest, "utf-8")
    assert "zzz_type" in pipeline_types(tmp_path / "blueprints")


def test_an_output_of_the_stack_is_filled_in_and_nothing_else() -> None:
    text = b'{"a": "${AssetsBucketName}/x", "b": "${Other}", "c": "${AWS::Region}"}'
    sent = filled(text, lambda: {"AssetsBucketName": "the-bucket"})
    assert sent == text.replace(b"${AssetsBucketName}", b"the-bucket")
    plain = b'{"a": "$x"}'
    assert filled(plain, lambda: pytest.fail("asked for nothing")) == plain


def test_types_of_one_blueprint_are_told_apart() -> None:
    found = json.loads(mlops("types", "--json").stdout)
    types = found if isinstance(found, list) else found["pipeline_types"]
    summaries = [one["summary"] for one in types]
    assert len(set(summaries)) == len(summaries)
