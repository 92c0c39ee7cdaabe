# SPDX-License-Identifier: Apache-2.0
"""What `make templates` refuses beyond what does not compile: what the build, the laptop or cfn-lint would refuse.

Blueprint folders and their compiled catalog in, problems out, each with the file and the line it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops.deploy import limits, permissions, template
from mlops.deploy.errors import DeployError
from mlops.lint import examples, state_machines
from mlops.lint.source_lines import Source
from mlops.templates import pipeline
from mlops.templates.folder import BlueprintError, Folder, read_folders

REGION = "us-east-1"
BOUNDARY = {"Ref": "PermissionsBoundaryArn"}


def problems(blueprints: Path, compiled: Path, shared_permissions: Path) -> list[str]:
    """Everything wrong with the blueprints below a folder, whose catalog was written to `compiled`."""
    found: list[str] = []
    folders = read_folders(blueprints)
    scopes = template.load(shared_permissions / permissions.BOUNDARY)
    granted = _granted([*shared_permissions.glob("*.yaml"), *blueprints.glob(f"*/{permissions.OWN}")])
    for folder in folders:
        source = Source(blueprints, folder)
        written = compiled / f"{folder.name}.yaml"
        content = template.load(written)
        found += [_told(one) for one in _examples(folder, compiled)]
        found += list(_resources(source, content, granted))
        found += list(_policies(folder, content, scopes))
        found += [
            f"{source.line(path)}: {message}" for path, message in dict.fromkeys(state_machines.problems(content))
        ]
        found += [f"{source.line(path)}: {message}" for path, message in _linted(written)]
    for path in sorted((blueprints / "delivery").glob("*.yaml")):
        written = compiled / "delivery" / path.name
        found += [f"delivery/{path.name}: {message}" for _, message in _linted(written)]
        if (size := written.stat().st_size) > pipeline.TEMPLATE_BODY:
            found.append(
                f"delivery/{path.name}: has {size:,} bytes; the orchestrator passes it to CloudFormation in the "
                f"request, which takes at most {pipeline.TEMPLATE_BODY:,}"
            )
    return found


def _examples(folder: Folder, compiled: Path) -> Iterator[BlueprintError]:
    try:
        examples.check(folder, compiled)
    except BlueprintError as error:
        yield error


def _granted(files: Sequence[Path]) -> frozenset[str]:
    """The resource types of which it is said what CloudFormation needs for one."""
    return frozenset(resource_type for path in files for resource_type in template.load(path))


def _resources(source: Source, content: Mapping[str, Any], granted: frozenset[str]) -> Iterator[str]:
    for logical_id, resource in content.get("Resources", {}).items():
        where = source.line(["Resources", logical_id])
        if resource["Type"] not in granted:
            yield (
                f"{where} is an {resource['Type']}: list the permissions that CloudFormation requires to create, "
                f"update and delete it in {permissions.OWN} next to the template, like in deployment/permissions/"
            )
        if resource["Type"] == "AWS::IAM::Role":
            properties = resource.get("Properties", {})
            if properties.get("PermissionsBoundary") != BOUNDARY:
                yield f"{where} has no boundary: write `PermissionsBoundary: !Ref PermissionsBoundaryArn`"
            if not _under_the_path(properties.get("Path")):
                yield f"{where} has no path of the deployment: write `Path: !Ref RolePath`"
            if "RoleName" in properties:
                yield f"{where} has a RoleName: leave the name to CloudFormation"


def _under_the_path(path: Any) -> bool:
    return path == {"Ref": "RolePath"} or (
        isinstance(path, dict) and str(path.get("Fn::Sub", "")).startswith("${RolePath}")
    )


def _policies(folder: Folder, content: template.Template, scopes: template.Template) -> Iterator[str]:
    """What the build would refuse of its roles' policies."""
    malformed = sorted(name for name, one in content["Resources"].items() if not _has_well_formed_policies(one))
    if malformed:
        yield f"{folder.name}/template.yaml: the policies of {', '.join(malformed)} are not written as IAM takes them"
        return
    checks: tuple[Callable[[], object], ...] = (
        lambda: permissions.boundary({folder.name: content}, scopes),
        lambda: limits.check_policies(folder.name, content),
    )
    for check in checks:
        try:
            check()
        except DeployError as error:
            yield f"{folder.name}/template.yaml: {_told(error)}"


def _has_well_formed_policies(resource: Mapping[str, Any]) -> bool:
    """Whether each inline policy of a role has statements with what every statement of a role has."""
    if resource["Type"] != "AWS::IAM::Role":
        return True
    for policy in permissions.branches(resource.get("Properties", {}).get("Policies", [])):
        document = policy.get("PolicyDocument") if isinstance(policy, dict) else None
        if not isinstance(document, dict) or "Statement" not in document:
            return False
        for statement in permissions.branches(document["Statement"]):
            if not isinstance(statement, dict) or not {"Effect", "Action", "Resource"} <= set(statement):
                return False
            conditions = statement.get("Condition", {})
            if not isinstance(conditions, dict) or not all(isinstance(one, dict) for one in conditions.values()):
                return False
    return True


def _linted(written: Path) -> Iterator[tuple[list[str | int], str]]:
    """What cfn-lint says of a template, by path: unknown types and properties, wrong values, what nothing uses."""
    from cfnlint.api import lint_file  # a second to import, and needed here only
    from cfnlint.config import ManualArgs

    for match in lint_file(written, config=ManualArgs(regions=[REGION])):
        if match.rule.severity in ("error", "warning"):
            yield list(match.path or []), f"{match.message} ({match.rule.id})"


def _told(error: Exception) -> str:
    return " ".join(str(error).split())
