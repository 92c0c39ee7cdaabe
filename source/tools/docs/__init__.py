# SPDX-License-Identifier: Apache-2.0
"""What the documentation repeats from the code, made from the code: `make docs` writes it, tests/docs holds it.

pages.py          where a generated part stands in a page
blueprints.py     a whole blueprint as an example, the parts that templates share, the kinds of jobs
phases.py         what each status of a stack means
decisions.py      the table of `decide`'s decisions
laptop.py         the services of the account on the laptop
model_cards.py    the keys of model-card requests
requests.py       every pipeline type: its smallest and a full request, and its keys
installation.py   the main template's parameters and outputs, the regions it is for
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.docs.blueprints import example, kinds_table, parts_table
from tools.docs.decisions import decisions_table
from tools.docs.installation import outputs_table, parameters_table, refused_regions, supported_regions
from tools.docs.laptop import services
from tools.docs.model_cards import content, keys
from tools.docs.phases import phases_table
from tools.docs.requests import requests


def generated(root: Path) -> Mapping[str, Mapping[str, str]]:
    """The generated parts of each page of docs/, by the page's and the part's names."""
    return {
        "adding-a-blueprint.md": {
            **{name: example(root, name) for name in ("blueprint.yaml", "request.schema.json", "template.yaml")},
            "parts": parts_table(root),
            "kinds of jobs": kinds_table(),
        },
        "architecture.md": {"phases": phases_table(), "decisions": decisions_table()},
        "laptop.md": {"services": services()},
        "model-cards.md": {"keys": keys(), "content": content()},
        "requests.md": {"requests": requests(root)},
        "installing.md": {
            "parameters": parameters_table(root),
            "outputs": outputs_table(root),
            "supported regions": supported_regions(root),
            "refused regions": refused_regions(root),
        },
    }
