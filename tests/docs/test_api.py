# SPDX-License-Identifier: Apache-2.0
"""docs/api.md and the README tell what the API answers: their examples and tables are held against the code."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chalicelib import errors
from chalicelib.aws.observed import ENDED_BADLY, RUNNING, STACK_PHASES, SUCCEEDED, Execution, Job, Stack
from chalicelib.catalog import Catalog
from chalicelib.entrypoints import http
from chalicelib.errors import OrchestratorError
from chalicelib.intake.check import check_request
from chalicelib.intake.query import Query
from chalicelib.intake.request import MAX_BYTES, MAX_DEPTH
from chalicelib.managing import delete, listing, stop
from chalicelib.planning import plan
from chalicelib.provisioning.provision import provision
from chalicelib.settings import Settings
from chalicelib.status import history, report
from chalicelib.status.outcome import Outcome
from mlops.deploy.template import load
from tools.bench import cloud

from tests.support.memory import MemoryCloud, World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
CALLER = http.Caller("the-request", "arn:aws:iam::111122223333:user/somebody")


def after(marker: str) -> str:
    return PAGE.split(f"<!-- {marker} -->\n", 1)[1]


def example(marker: str) -> Any:
    return json.loads(after(f"example: {marker}").split("```json\n", 1)[1].split("```", 1)[0])


def first_cells(marker: str) -> list[str]:
    """The first cells of the rows of a table."""
    table = after(marker).split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in table]


@pytest.fixture
def deployed(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The API with the environment of a deployment, and an AWS in which nothing is there yet."""
    with cloud.serving() as address:
        secrets = {"AWS_ACCESS_KEY_ID": "1", "AWS_SECRET_ACCESS_KEY": "2", "AWS_ENDPOINT_URL": f"http://{address}"}
        for name, value in (environment | secrets).items():
            monkeypatch.setenv(name, value)
        http._deployment.cache_clear()
        yield
        http._deployment.cache_clear()


def asked(body: Any) -> tuple[int, Any]:
    answer = http.provision_pipeline(json.dumps(body).encode(), CALLER)
    return answer.status, json.loads(answer.body)


def readme_json() -> list[Any]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]


def test_the_readmes_request_has_the_readmes_answer(deployed: None) -> None:
    request, told, *_ = readme_json()
    code, answer = asked(request)
    assert code == 200
    assert set(answer) == set(told)
    assert (answer["message"], answer["name"]) == (told["message"], told["name"])
    assert f"stack/{answer['name']}-codepipeline/" in told["pipeline_id"]


def test_the_readmes_wrong_request_has_the_readmes_problems(deployed: None) -> None:
    request, _, _, told = readme_json()
    code, answer = asked({**request, "instance_type": "m5.large", "training_data": "s3://data/train.csv"})
    assert code == 400
    assert (answer["message"], answer["errors"]) == (told["message"], told["errors"])
    assert set(answer) == set(told)


def test_the_error_example_is_what_is_answered(deployed: None) -> None:
    told = example("error")
    code, answer = asked({**readme_json()[0], "instance_count": "two"})
    assert code == 400
    assert {**answer, "request_id": ""} == {**told, "request_id": ""}


def test_a_warning_is_answered_as_the_example_has_it(deployed: None) -> None:
    told = example("provisioned")
    code, answer = asked({**readme_json()[0], "model_name": "churn", "target_attribute": "x"})
    assert code == 200
    assert answer["warnings"] == told["warnings"]
    assert (set(answer), answer["name"]) == (set(told), told["name"])
    assert set(answer) | {"execution_id", "resolved"} == set(first_cells("keys: provisioned"))


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda: http.provision_pipeline(b"", CALLER), 400),
        (lambda: http.provision_pipeline(b'{"pipeline_type": "model_trainin"}', CALLER), 400),
        (lambda: http.provision_pipeline(b" " * (MAX_BYTES + 1), CALLER), 413),
        (lambda: http.pipeline_status(b'{"pipeline_id": "nobody"}', CALLER), 404),
        (lambda: http.pipeline("nobody", CALLER), 404),
        (lambda: http.pipeline_runs("nobody", {"limit": "x"}, CALLER), 400),
        (lambda: http.delete_pipeline("no name", {}, CALLER), 404),
    ],
)
def test_every_error_has_the_documented_keys(deployed: None, request_of: Callable[[], Any], status: int) -> None:
    refused = request_of()
    assert refused.status == status, refused.body
    assert set(json.loads(refused.body)) == set(first_cells("keys: error")) - {"detail"}
    assert refused.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("allowed", ["Yes", "No"])
def test_awss_own_words_are_answered_only_where_that_is_allowed(
    deployed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, allowed: str
) -> None:
    monkeypatch.setenv("ALLOW_DETAILED_ERROR_MESSAGE", allowed)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with caplog.at_level("INFO", "orchestrator"):
        answer = http.provision_pipeline(json.dumps(readme_json()[0]).encode(), CALLER)
    body = json.loads(answer.body)
    assert (answer.status, answer.headers["Retry-After"], body["errors"]) == (503, "5", [])
    assert ("127.0.0.1:1" in body.get("detail", "")) == (allowed == "Yes")
    assert "127.0.0.1:1" not in body["message"]
    assert "127.0.0.1:1" in caplog.text


@pytest.mark.parametrize("changes", [{}, {"instance_count": "two"}])
def test_who_asked_is_logged_and_what_was_asked_is_not(
    deployed: None, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    with caplog.at_level("DEBUG", "orchestrator"):
        asked({**readme_json()[0], "training_data": "secret/customers.csv", **changes})
    assert CALLER.request_id in caplog.text
    assert CALLER.arn in caplog.text
    assert "secret" not in caplog.text


def test_every_status_code_that_is_raised_is_documented() -> None:
    sources = [path for path in Path(errors.__file__).parent.rglob("*.py") if path.name != "errors.py"]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    raised = {kind.status for kind in kinds(OrchestratorError) if re.search(rf"\b{kind.__name__}\(", text)}
    assert {int(code[:3]) for code in first_cells("codes")} == raised


def test_every_problem_code_is_documented() -> None:
    table = after("problem codes").split("\n\n", 1)[0].splitlines()[2:]
    rows = [tuple(cell.strip().strip("`") for cell in row.strip("|").split("|")) for row in table]
    assert rows == [(code.name.lower(), code.value) for code in errors.Code]


def kinds(kind: type[OrchestratorError]) -> Iterator[type[OrchestratorError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds(narrower)


def test_the_limits_are_the_codes() -> None:
    assert f"at most {MAX_BYTES:,} bytes, at most {MAX_DEPTH} levels" in " ".join(PAGE.split())


def test_the_throttle_is_the_main_templates() -> None:
    api_stage = load(ROOT / "deployment" / "templates" / "orchestrator.sam.yaml")["Resources"]["RestAPI"]["Properties"]
    (method,) = api_stage["MethodSettings"]
    rate, burst = method["ThrottlingRateLimit"], method["ThrottlingBurstLimit"]
    assert f"more than {rate} requests a second, or more than {burst} at once" in PAGE


def test_every_message_is_documented(
    catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]
) -> None:
    patterns = [
        "".join(".+" if re.match(r"<\w+>|…", part) else re.escape(part) for part in re.split(r"(<\w+>|…)", cell))
        for cell in first_cells_of_messages()
    ]
    world = World()

    def told(name: str, **changes: Any) -> str:
        checked = check_request(json.dumps({**example(name), **changes}).encode(), catalog, settings)
        message = provision(plan.make(checked, settings, catalog), MemoryCloud(world)).message
        world.settle()
        return message

    training, changed = "model_training_builtin", {"instance_count": 2}
    messages = [told(training), *(told(training, **one) for one in (changed, {**changed, "rerun": True}, changed))]
    image, changed = "byom_image_builder", {"custom_algorithm_docker": "images/another.zip"}
    messages += [told(image), *(told(image, **one) for one in (changed, changed, {**changed, "rerun": True}))]
    for pattern, message in zip(patterns, messages, strict=True):
        assert re.fullmatch(pattern, message), (pattern, message)


def first_cells_of_messages() -> list[str]:
    return [
        row.split("|")[1].strip().strip("`") for row in PAGE.splitlines() if re.match(r"\| `(success|Pipeline)", row)
    ]


NAME = "mlops-pipeline-churn-modeltraining"
DELIVERY = Stack("id", f"{NAME}-codepipeline", "CREATE_COMPLETE", {"StackName": NAME}, {"PipelineName": "p"})
DEPLOYED = Stack("id", NAME, "CREATE_COMPLETE")


def test_the_statuses_are_all_there_are() -> None:
    states = [None, *sorted(STACK_PHASES)]
    executions = [None, *(Execution("run", one) for one in sorted(RUNNING | ENDED_BADLY | {SUCCEEDED}))]
    snapshot = {
        report.document(
            report.PipelineSnapshot(
                replace(DELIVERY, status=delivery),
                (replace(DEPLOYED, status=deployed) if deployed else None,),
                execution,
                {"stageStates": [stage(**latest)]},
            ),
            detailed=True,
        )["pipeline"]["status"]
        for delivery, deployed, execution, latest in itertools.product(
            states[1:], states, executions, [{}, {"token": "t"}]
        )
    }
    assert snapshot == set(first_cells("statuses"))


def test_the_list_is_as_documented(catalog: Catalog, settings: Settings) -> None:
    world = World()
    checked = check_request(json.dumps({**readme_json()[0], "model_name": "churn"}).encode(), catalog, settings)
    provision(plan.make(checked, settings, catalog), MemoryCloud(world))
    world.settle()
    told = example("list")
    query = Query({})
    (row,) = listing.page(listing.PageRequest.of(query, settings), settings, MemoryCloud(world))["pipelines"]
    assert set(row) == set(told["pipelines"][0]) == cells("keys: list")
    assert set(row["last_run"]) == set(told["pipelines"][0]["last_run"])
    assert (row["name"], row["status"]) == (told["pipelines"][0]["name"], told["pipelines"][0]["status"])
    assert query.known == set(first_cells("parameters: list"))
    assert f"`limit` | the most pipelines in a page: 1 to {listing.LARGEST_PAGE}, by default {listing.PAGE} |" in PAGE


def test_a_stop_and_a_deletion_are_as_documented(catalog: Catalog, settings: Settings) -> None:
    world = World(jobs={(arn := "arn:aws:states:us-east-1:1:execution:m:r"): ("TrainingJob", "churn-training-5b1e")})
    checked = check_request(json.dumps({**readme_json()[0], "model_name": "churn"}).encode(), catalog, settings)
    planned = plan.make(checked, settings, catalog)
    provision(planned, MemoryCloud(world))
    world.settle(ends="InProgress")
    ((pipeline, (run,)),) = world.executions.items()
    latest = {"stageName": "Run", "latestExecution": {"pipelineExecutionId": run.id}}
    world.stages[pipeline] = [{**latest, "actionStates": stage(externalExecutionId=arn)["actionStates"]}]
    told = example("stopped")
    stopped = stop.stop(world.stacks[planned.delivery_stack], MemoryCloud(world)).document()
    assert {**stopped, "executions": ["8a5c"]} == told
    assert set(told) == cells("keys: stopped")

    world = World()
    provision(planned, MemoryCloud(world))
    world.settle()
    told, target = example("deletion"), delete.target(planned.name, settings)
    deletion = delete.delete(target, MemoryCloud(world)).document(target.name, settings)
    stays = [line.replace("the-", "") for line in deletion["stays"]]
    assert {**deletion, "stays": stays} == told
    assert set(told) == cells("keys: deletion")


def cells(marker: str) -> set[str]:
    """The keys in a table's first cells, which may have several."""
    return set(", ".join(first_cells(marker)).replace("`", "").split(", "))


def stage(**latest: Any) -> dict[str, Any]:
    action = {"actionName": "run_jobs", "latestExecution": {"status": "InProgress", **latest}}
    return {
        "stageName": "Run",
        "latestExecution": {"pipelineExecutionId": "run", "status": "InProgress"},
        "actionStates": [action],
    }


def test_a_status_has_the_documented_keys() -> None:
    told = example("status")["pipeline"]
    snapshot = report.PipelineSnapshot(
        DELIVERY, (DEPLOYED,), Execution("run", "InProgress"), {"stageStates": [stage()]}
    )
    answered = report.document(replace(snapshot, job=Job("TrainingJob", "j", "InProgress")), detailed=True)["pipeline"]
    assert set(answered) == set(told) == set(first_cells("keys: pipeline"))
    for key in ("job", "stack"):
        assert set(answered[key]) == set(told[key])
    assert set(answered["stages"][0]) == set(told["stages"][0])
    assert set(answered["stages"][0]["actions"][0]) == set(told["stages"][0]["actions"][0])
    assert set(answered["job"]) == set(example("runs")["runs"][0]["job"])
    for key in (*answered["stages"][0], *answered["stages"][0]["actions"][0], *answered["job"]):
        assert f"`{key}`" in after("keys: pipeline")


def test_a_run_has_the_documented_keys() -> None:
    told = example("runs")
    assert set(told) == set(first_cells("keys: runs"))
    answered = history.run_document(Execution("run", "Succeeded"), Outcome(), "Run", detailed=True)
    assert set(answered) == set(told["runs"][0])
    for key in answered:
        assert f"`{key}`" in after("keys: runs")
    most, usual = history.MOST, history.LIMIT
    assert f"1 to {most} ({usual} where" in " ".join(PAGE.split())


def test_every_route_is_documented() -> None:
    app = (ROOT / "orchestrator" / "app.py").read_text("utf-8")
    routes = {f"{method.upper()} {path}" for path, method in re.findall(r'@app.route\("(.+?)", \*\*_(\w+)\)', app)}
    documented = set(re.findall(r"^\| `([A-Z]+ /\S+)`", PAGE, re.MULTILINE))
    assert routes
    assert routes == documented
