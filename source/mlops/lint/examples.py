# SPDX-License-Identifier: Apache-2.0
"""Checks a blueprint's examples, which tests, documentation and users begin with, as requests are checked."""

from __future__ import annotations

import json
from pathlib import Path

from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.intake.lookups import FieldAbsent

from mlops.templates.assumed import assumed
from mlops.templates.folder import BlueprintError, Folder

REGISTRY = ".registry."  # in the name of an example for deployments that take models from the registry


def check(folder: Folder, compiled: Path) -> None:
    """Raise BlueprintError where a type has no example, or an example is refused; `compiled` is the catalog."""
    catalog = Catalog(compiled)
    types = folder.manifest["pipeline_types"]
    missing = [name for name in types if f"{name}.json" not in folder.examples]
    if missing:
        raise BlueprintError(f"{folder.name}/examples/{missing[0]}.json is missing: a request for {missing[0]}")
    for name, raw in folder.examples.items():
        where = f"{folder.name}/examples/{name}"
        registry = REGISTRY in name
        try:
            pipeline_type = check_request(raw, catalog, assumed("us-east-1", registry), deployed=False).pipeline_type
        except BadRequest as refused:
            told = "; ".join(f"{one.path} {one.problem}".strip() for one in refused.problems)
            raise BlueprintError(f"{where}: {told}") from refused
        except FieldAbsent as absent:
            raise _reads_optional(folder, absent) from absent
        if pipeline_type not in types:
            raise BlueprintError(f"{where}: {pipeline_type} is a type of {catalog.pipeline_types[pipeline_type]}")
        _check_shortest(folder, catalog, raw, registry)


def _check_shortest(folder: Folder, catalog: Catalog, raw: bytes, registry: bool) -> None:
    """A request with what is required and no more: a lookup must not need another field."""
    body = json.loads(raw)
    _, schema = catalog.find(body["pipeline_type"]).schema(body["pipeline_type"], registry)
    shortest = json.dumps({key: body[key] for key in schema["required"] if key in body}).encode()
    try:
        check_request(shortest, catalog, assumed("us-east-1", registry), deployed=False)
    except BadRequest:
        return  # an alias stands in the example, or a rule asks for more
    except FieldAbsent as absent:
        raise _reads_optional(folder, absent) from absent


def _reads_optional(folder: Folder, absent: FieldAbsent) -> BlueprintError:
    return BlueprintError(f"{folder.name}/blueprint.yaml: a lookup reads {absent.path}, which a request may omit")
