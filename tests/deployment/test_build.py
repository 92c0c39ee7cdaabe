# SPDX-License-Identifier: Apache-2.0
"""What a build writes: the same bytes each time, pure Python, plain CloudFormation."""

import importlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mlops.deploy import archive
from mlops.deploy.build import Distribution, Sources, build
from mlops.deploy.errors import BuildError, NativeCode, UnsafePermission
from mlops.deploy.upload import MAIN_TEMPLATE
from mlops.source_tree import ROOT

from tests.support.builds import DISTRIBUTION

CONTRACT_PARAMETERS = {
    "AllowDetailedErrorMessage",
    "AssetsBucketKmsKeyArn",
    "DataBuckets",
    "ImageAccounts",
    "KeyAccounts",
    "ConfigS3Bucket",
    "CreateModelRegistry",
    "ExistingECRRepo",
    "ExistingS3Bucket",
    "NotificationEmail",
    "UseModelRegistry",
}
CONTRACT_OUTPUTS = {
    "AssetsBucket",
    "BlueprintsBucket",
    "ECRRepoArn",
    "ECRRepoName",
    "MLOpsNotificationsTopicArn",
    "ModelRegistryArn",
}


def main_template(out: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((out / "global-s3-assets" / MAIN_TEMPLATE).read_text())
    return template


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_the_script_builds_the_same_bytes_from_anywhere(built: Path, tmp_path: Path) -> None:
    script = ROOT / "deployment" / "build-s3-dist.sh"
    arguments = ["a-distribution-bucket", "mlops-orchestrator", "v0", "--out", str(tmp_path / "again")]
    subprocess.run([str(script), *arguments], cwd=tmp_path, check=True)
    assert contents(tmp_path / "again") == contents(built)


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_to_the_script_is_the_script(relative: bool, tmp_path: Path) -> None:
    script = ROOT / "deployment" / "build-s3-dist.sh"
    first, second = tmp_path / "first.sh", tmp_path / "bin" / "second.sh"
    first.symlink_to(script)
    second.parent.mkdir()
    second.symlink_to("../first.sh" if relative else first)
    done = subprocess.run([str(second), "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bucket of the main template" in done.stdout


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_where_the_build_should_go_is_named(inside: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    out = file / "deeper" if inside else file
    with pytest.raises(BuildError, match=f"--out {out}: {file} is a file; specify a folder"):
        build(Distribution("bucket", "solution", "v0"), out)
    assert file.read_text() == "not a folder"


def test_what_editors_and_systems_leave_behind_does_not_ship(built: Path, tmp_path: Path) -> None:
    """Neither in the sources, where some would even break the build, nor in what was built."""
    sources = Sources()
    folders = {
        name: shutil.copytree(getattr(sources, name), tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("orchestrator", "blueprints", "functions", "templates", "permissions")
    }
    for folder in [
        *folders.values(),
        folders["orchestrator"] / "chalicelib",
        folders["blueprints"] / "model_training",
        folders["blueprints"] / "_parts",
    ]:
        for name in (".DS_Store", "._app.py", "._storage.yaml", ".app.py.swp", "app.py~", "#app.py#", "Thumbs.db"):
            (folder / name).write_bytes(b"\0 left behind")
        (folder / ".idea").mkdir()
        (folder / ".idea" / "workspace.py").write_bytes(b"\0 left behind")
    build(DISTRIBUTION, tmp_path / "out", Sources(**folders))
    assert contents(tmp_path / "out") == contents(built)
    assert Sources(**folders).version() == sources.version()


def test_what_it_writes(built: Path) -> None:
    written = {name for name in contents(built) if "/blueprints/" not in name}
    functions = {path.stem for path in (ROOT / "source" / "functions").glob("[!_]*.py")}
    assert written == {
        f"global-s3-assets/{MAIN_TEMPLATE}",
        "regional-s3-assets/orchestrator.zip",
        *(f"regional-s3-assets/{name}.zip" for name in functions),
    }
    assert (built / "regional-s3-assets" / "blueprints" / "delivery" / "single.yaml").is_file()


def test_a_function_brings_what_it_shares_with_others(built: Path) -> None:
    zips = {path.stem: archive.read_zip(path.read_bytes()).keys() for path in built.glob("regional-s3-assets/*.zip")}
    for name in ("check_install", "guard_pipelines"):
        assert zips[name] == {f"{name}.py", "_custom_resource.py"}
    assert zips["inference"] == {"inference.py"}


def test_zips_hold_pure_python_and_are_small(built: Path) -> None:
    for path in (built / "regional-s3-assets").glob("*.zip"):
        assert path.stat().st_size <= 1_000_000, path.name
        with zipfile.ZipFile(path) as archived:
            for entry in archived.infolist():
                assert not entry.filename.endswith((".so", ".pyd", ".dylib", ".dll")), f"{path.name}: {entry.filename}"
                assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_a_pipeline_type_adds_little_to_the_zip(built: Path) -> None:
    """At most 45 KB for each type, with its share of what its blueprint has: a dozen types must fit."""
    with zipfile.ZipFile(built / "regional-s3-assets" / "orchestrator.zip") as archived:
        index = json.loads(archived.read("chalicelib/catalog/index.json"))
        for blueprint in set(index["pipeline_types"].values()):
            types = list(index["pipeline_types"].values()).count(blueprint)
            files = [one for one in archived.infolist() if re.search(rf"/catalog/.*\b{blueprint}\.", one.filename)]
            assert len(files) == 4  # manifest and schemas, template, validators and their byte code
            assert sum(one.compress_size for one in files) <= 45_000 * types, blueprint


def test_licences_ship_with_what_they_license(built: Path) -> None:
    names = archive.read_zip((built / "regional-s3-assets" / "orchestrator.zip").read_bytes())
    for package in ("attrs", "chalice", "jsonschema", "pyrsistent"):
        licensed = [name for name in names if name.startswith(f"{package}-") and "METADATA" not in name]
        assert any("LICEN" in name.upper() or "COPYING" in name for name in licensed), package


def test_the_orchestrator_brings_what_it_needs(built: Path, tmp_path: Path) -> None:
    """It starts in an isolated Python that has boto3, as Lambda's has, and nothing else of this environment."""
    with zipfile.ZipFile(built / "regional-s3-assets" / "orchestrator.zip") as archived:
        archived.extractall(tmp_path)
    for package in ("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "dateutil"):
        (tmp_path / package).symlink_to(Path(importlib.import_module(package).__file__ or "").parent)
    (tmp_path / "six.py").symlink_to(importlib.import_module("six").__file__ or "")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app, jsonschema"
    program += "; print(app.__file__, jsonschema.__file__)"
    started = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert started.returncode == 0, started.stderr
    assert all(name.startswith(str(tmp_path)) for name in started.stdout.split())


def test_nothing_says_where_or_when_it_was_built(built: Path) -> None:
    for name, data in contents(built).items():
        whole = b"".join(archive.read_zip(data).values()) if name.endswith(".zip") else data
        assert str(ROOT).encode() not in whole, name
        assert str(Path(sys.prefix)).encode() not in whole, name


def test_the_main_template_is_plain(built: Path) -> None:
    text = (built / "global-s3-assets" / MAIN_TEMPLATE).read_text()
    template = json.loads(text)
    assert len(text.encode()) < 1_000_000
    assert "Transform" not in template
    assert not any(resource["Type"].startswith("AWS::Serverless") for resource in template["Resources"].values())
    assert '"Generated"' not in text
    assert '"Fn::Transform"' not in text


def test_the_main_template_keeps_the_contract(built: Path) -> None:
    template = main_template(built)
    assert set(template["Parameters"]) == CONTRACT_PARAMETERS
    assert set(template["Outputs"]) >= CONTRACT_OUTPUTS
    assert any(name.startswith("PipelineOrchestrationLambdaRestApiEndpoint") for name in template["Outputs"])
    without_default = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
    assert without_default == {"NotificationEmail"}
    assert template["Mappings"]["Distribution"]["Source"] == {
        "Bucket": "a-distribution-bucket",
        "Solution": "mlops-orchestrator",
        "Prefix": "mlops-orchestrator/v0",
    }


@pytest.mark.parametrize("bucket", ["", "Upper", "with.dots", "x" * 48, "s3://bucket"])
def test_a_bucket_that_cannot_be_one_is_refused(bucket: str) -> None:
    with pytest.raises(BuildError, match="is not a valid bucket"):
        Distribution(bucket, "mlops-orchestrator", "v0")


def test_compiled_code_is_refused() -> None:
    with pytest.raises(NativeCode, match=r"fast\.so"):
        archive.write_zip({"fast.so": b""})


BAD_ROLE_CHANGES = {
    "a wildcard": ({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}, "list the actions"),
    "identities": ({"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"}, "must not manage identities"),
    "any service": ({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}, "iam:PassedToService"),
    "all but": ({"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"}, "NotAction"),
}


@pytest.mark.parametrize(("statement", "reason"), BAD_ROLE_CHANGES.values(), ids=list(BAD_ROLE_CHANGES))
def test_a_blueprint_that_asks_for_too_much_is_not_built(statement: Any, reason: str, tmp_path: Path) -> None:
    blueprints = with_part(tmp_path, {"Greedy": policy_of_the_state_machine(statement)})
    with pytest.raises(UnsafePermission, match=reason):
        build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))


def test_a_resource_type_nobody_gave_cloudformation_is_not_built(tmp_path: Path) -> None:
    blueprints = with_part(tmp_path, {"Queue": {"Type": "AWS::SQS::Queue"}})
    with pytest.raises(UnsafePermission, match=r"AWS::SQS::Queue: list the permissions .* permissions\.yaml"):
        build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))


def test_a_blueprint_may_bring_the_permissions_of_its_resource_types(tmp_path: Path) -> None:
    blueprints = with_part(tmp_path, {"Queue": {"Type": "AWS::SQS::Queue"}})
    statement = {
        "Effect": "Allow",
        "Action": ["sqs:CreateQueue", "sqs:DeleteQueue"],
        "Resource": "arn:aws:sqs:*:*:mlops-*",
    }
    own = blueprints / "model_training" / "permissions.yaml"
    own.write_text(json.dumps({"AWS::SQS::Queue": {"Statement": [statement]}}))
    build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))
    policy = main_template(tmp_path / "out")["Resources"]["CloudFormationBlueprintsPolicy"]["Properties"]
    assert statement in policy["PolicyDocument"]["Statement"]


def policy_of_the_state_machine(statement: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "greedy",
            "Roles": [{"Ref": "StateMachineRole"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }


def with_part(folder: Path, resources: dict[str, Any]) -> Path:
    """The blueprints, with more resources in what their state machines share."""
    blueprints = folder / "blueprints"
    shutil.copytree(ROOT / "blueprints", blueprints)
    part = blueprints / "_parts" / "state_machine.yaml"
    more = "".join(f"  {name}: {json.dumps(resource)}\n" for name, resource in resources.items())
    part.write_text(part.read_text().replace("Resources:\n", f"Resources:\n{more}", 1))
    return blueprints
