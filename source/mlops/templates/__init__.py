# SPDX-License-Identifier: Apache-2.0
"""Compiles the blueprint folders into the catalog that ships: plain CloudFormation, schemas, validators.

    blueprints/<name>/  --folder.read-->  Folder  --schema, parameters-->  catalog/<name>.json, <name>.yaml, validators

The catalog is all the orchestrator sees; YAML, `$ref`s, includes and model lookups end here, at build time.
"""

from mlops.templates.catalog import CATALOG_VERSION, compile_catalog
from mlops.templates.folder import BlueprintError

__all__ = ["CATALOG_VERSION", "BlueprintError", "compile_catalog"]
