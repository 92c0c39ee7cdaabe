# SPDX-License-Identifier: Apache-2.0
"""Compiles the blueprint folders into the catalog that ships: plain CloudFormation and schemas.

    blueprints/<name>/  --folder-->  Folder  --assemble, schema-->  catalog/<name>.json, <name>.yaml

The catalog is all the orchestrator sees; YAML, `$ref`s, includes and model lookups end here, at build time.

catalog.py      writes the catalog
folder.py       a blueprint's folder and the parts, parsed
manifest.py     blueprint.yaml, held against its schema and the request's
schema.py       request.schema.json -> the closed schema of each pipeline type
assemble.py     template.yaml -> plain CloudFormation, by the following
includes.py       `Include`: a part of _parts
run_job.py        `RunJob`: the states that run a job, and the policy for them
job_states.py     what these states are, and why
register_model.py `RegisterModel`: the states that register a job's model, and the statements for them
register_states.py what these states are, and why
sdk_names.py      what Task states call the members of an API
bindings.py       names that a template refers to: shared conditions, where each parameter comes from
parameters.py     the Parameters section
pipeline.py       what a template needs that has the pipeline itself: `delivery: own`
references.py     names that stand for nothing; what API deployments are called
cfn_yaml.py     CloudFormation's YAML
assumed.py      a deployment's settings, where there is no deployment
"""

from mlops.templates.catalog import CATALOG_VERSION, compile_catalog
from mlops.templates.folder import BlueprintError

__all__ = ["CATALOG_VERSION", "BlueprintError", "compile_catalog"]
