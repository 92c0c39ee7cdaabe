# SPDX-License-Identifier: Apache-2.0
"""The door: what checking a request takes, bytes to a checked request or to the list of everything wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.canonical import canonical
from chalicelib.intake.check import check_request
from chalicelib.intake.request import parse
from chalicelib.settings import Settings

from tools.bench.measures import Measure, Samples
from tools.bench.orchestrator import ENVIRONMENT, EXAMPLE, WRONG
from tools.bench.runtime import REGION

_GROUP = "Request validation, CPU time"
_MANY = {f"no_key_of_ours_{number:04}": number for number in range(2000)}
_LARGE = f"invalid request with {len(_MANY):,} unknown keys"


def measure(catalog_folder: Path, rounds: int) -> Iterator[Measure]:
    settings = Settings.from_environment({**ENVIRONMENT, "AWS_REGION": REGION})
    catalog = Catalog(catalog_folder)
    good, bad, worst = (json.dumps(body).encode() for body in (EXAMPLE, WRONG, {**EXAMPLE, **_MANY}))
    _, schema = catalog.find(EXAMPLE["pipeline_type"]).schema(EXAMPLE["pipeline_type"], registry=False)
    validator = jsonschema.Draft202012Validator(schema)

    def explained(raw: bytes) -> None:
        list(validator.iter_errors(canonical(parse(raw), schema, catalog.keys).body))

    def refused(raw: bytes) -> None:
        try:
            check_request(raw, catalog, settings)
        except BadRequest:
            return
        raise AssertionError("the wrong request passed")

    checked = _cpu(lambda: check_request(good, catalog, settings), rounds, 20)
    yield Measure(
        _GROUP,
        "valid request",
        "s",
        checked,
        _cpu(lambda: json.loads(good), rounds, 500),
        "json.loads of the same request",
    )
    whole = _cpu(lambda: explained(good), rounds, 2), "jsonschema with the canonical form"
    yield Measure(_GROUP, "valid request", "s", checked, *whole)
    wrong = _cpu(lambda: explained(bad), rounds, 2), "jsonschema with the canonical form"
    yield Measure(_GROUP, "invalid request, with all problems", "s", _cpu(lambda: refused(bad), rounds, 2), *wrong)
    large = _cpu(lambda: explained(worst), rounds, 1), wrong[1]
    yield Measure(_GROUP, _LARGE, "s", _cpu(lambda: refused(worst), rounds, 1), *large)


def _cpu(what: Callable[[], object], rounds: int, times: int) -> Samples:
    what()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(times):
            what()
        taken.append((time.process_time() - begun) / times)
    return Samples.of(taken)
