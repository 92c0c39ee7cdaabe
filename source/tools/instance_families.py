# SPDX-License-Identifier: Apache-2.0
"""Makes orchestrator/chalicelib/images/instance_families.json: what the families of instance types have.

    make instance-families        (or: python -m tools.instance_families)

Which families there are is read from botocore's model of SageMaker: every enumeration of instance types. What a family
has is read from its name, as EC2 names its instance types, and from the tables below where the name does not say it:

    ml.c6gd.xlarge      c: series, 6: generation, g and d: options, xlarge: size
    ml.p6-b200.48xlarge                  b200: variant

https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
A family that the tables cannot place stops the generator, which then says what to add.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import botocore.session
from botocore.model import StringShape
from chalicelib.images.instances import Accelerator, Architecture, Family

TABLE = Path(__file__).parents[2] / "orchestrator" / "chalicelib" / "images" / "instance_families.json"

# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html
SERIES: dict[str, Accelerator | None] = {
    "c": None,
    "dl": "gaudi",
    "g": "gpu",
    "gr": "gpu",
    "i": None,
    "inf": "inferentia",
    "m": None,
    "p": "gpu",
    "r": None,
    "t": None,
    "trn": "trainium",
}

# Names of accelerated families say d for local disks only where there is a sibling without them. Of all others:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html (instance store specifications)
ACCELERATED_WITH_DISKS = {
    *("dl1", "trn1", "trn1n", "trn2"),
    *("g5", "g6", "g6e", "g7", "g7e", "gr6"),
    *("p5", "p5e", "p5en", "p6-b200", "p6-b300", "p6e-gb200"),
}
ACCELERATED_WITHOUT_DISKS = {"inf1", "inf2", "p2", "p3"}

STORAGE_OPTIMIZED = {"i"}  # all have disks: https://docs.aws.amazon.com/ec2/latest/instancetypes/so.html
GRACE = "gb"  # GB200 joins Blackwell GPUs with a Grace processor, which is Arm: https://aws.amazon.com/ec2/instance-types/p6/

# ml.geospatial.interactive runs notebooks of SageMaker geospatial; its name is not one of EC2's.
# https://docs.aws.amazon.com/sagemaker/latest/dg/geospatial-instances.html
NOT_OF_EC2 = {"geospatial": Family("geospatial", "x86_64", None, local_storage=False)}


class UnknownFamily(Exception):
    """A family's name does not say what it has, and no table here does."""


def instance_types() -> Iterator[str]:
    """Every instance type that an enumeration of SageMaker's API lists."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    for name in model.shape_names:
        shape = model.shape_for(name)
        if name.endswith("InstanceType") and isinstance(shape, StringShape):
            yield from (value for value in shape.enum if value.startswith("ml."))


def family_named(name: str) -> Family:
    """What the family of this name has; raises UnknownFamily."""
    if name in NOT_OF_EC2:
        return NOT_OF_EC2[name]
    match = re.fullmatch(r"(?P<series>[a-z]+)\d+(?P<options>[a-z]*)(-(?P<variant>[a-z]+\d*))?", name)
    if match is None or match["series"] not in SERIES:
        raise UnknownFamily(f"{name}: its series is unknown; add it to SERIES, or the family to NOT_OF_EC2")
    series, options, variant = match["series"], match["options"], match["variant"] or ""
    accelerator = SERIES[series]
    arm = "g" in options or variant.startswith(GRACE)  # g: AWS Graviton
    architecture: Architecture = "arm64" if arm else "x86_64"
    if "d" in options or series in STORAGE_OPTIMIZED:
        local_storage = True
    elif accelerator is None:
        local_storage = False
    elif name in ACCELERATED_WITH_DISKS | ACCELERATED_WITHOUT_DISKS:
        local_storage = name in ACCELERATED_WITH_DISKS
    else:
        raise UnknownFamily(f"{name}: add it to ACCELERATED_WITH_DISKS or ACCELERATED_WITHOUT_DISKS")
    return Family(name, architecture, accelerator, local_storage)


def families() -> dict[str, Family]:
    """Every family that SageMaker has instance types of, by its name."""
    return {name: family_named(name) for name in sorted({value.split(".")[1] for value in instance_types()})}


def written(table: dict[str, Family]) -> str:
    """JSON with one family a line, so that an update of botocore reads well as a diff."""
    rows = []
    for name, family in table.items():
        row = asdict(family)
        del row["name"]
        rows.append(f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def main() -> None:
    table = families()
    TABLE.write_text(written(table), encoding="utf-8")
    print(f"{TABLE.name}: {len(table)} families")


if __name__ == "__main__":
    main()
