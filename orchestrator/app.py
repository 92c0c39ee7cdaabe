# SPDX-License-Identifier: Apache-2.0
"""The API: routes, and nothing else. docs/architecture.md follows a request through it."""

from chalicelib.garbage import suspended

with suspended():
    from chalice import Chalice, IAMAuthorizer, Response
    from chalicelib.entrypoints import http

app = Chalice(app_name="mlops-orchestrator")
_post = {"methods": ["POST"], "authorizer": IAMAuthorizer(), "content_types": ["*/*"]}
_get = {"methods": ["GET"], "authorizer": IAMAuthorizer()}
_delete = {"methods": ["DELETE"], "authorizer": IAMAuthorizer()}


@app.route("/provisionpipeline", **_post)
def provision_pipeline() -> Response:
    """Create, update or run the pipeline that the body describes."""
    return _chalice_response(http.provision_pipeline(app.current_request.raw_body, _caller()))


@app.route("/pipelinestatus", **_post)
def pipeline_status() -> Response:
    """Return the status of the pipeline in the body."""
    return _chalice_response(http.pipeline_status(app.current_request.raw_body, _caller()))


@app.route("/pipelines/{name}", **_get)
def pipeline(name: str) -> Response:
    """Return the status of the pipeline in the path."""
    return _chalice_response(http.pipeline(name, _caller()))


@app.route("/pipelines/{name}/runs", **_get)
def pipeline_runs(name: str) -> Response:
    """List a pipeline's runs, the newest first."""
    return _chalice_response(http.pipeline_runs(name, _query(), _caller()))


@app.route("/pipelines", **_get)
def list_pipelines() -> Response:
    """List the pipelines, one page at a time."""
    return _chalice_response(http.list_pipelines(_query(), _caller()))


@app.route("/pipelines/{name}", **_delete)
def delete_pipeline(name: str) -> Response:
    """Take the next step of a pipeline's deletion."""
    return _chalice_response(http.delete_pipeline(name, _query(), _caller()))


@app.route("/pipelines/{name}/stop", **_post)
def stop_pipeline(name: str) -> Response:
    """Stop a pipeline's runs and their jobs."""
    return _chalice_response(http.stop_pipeline(name, app.current_request.raw_body, _caller()))


def _query() -> dict[str, str]:
    return dict(app.current_request.query_params or {})


def _caller() -> http.Caller:
    context = app.current_request.context
    return http.Caller(context.get("requestId", ""), (context.get("identity") or {}).get("userArn") or "")


def _chalice_response(response: http.Response) -> Response:
    return Response(response.body, headers=dict(response.headers), status_code=response.status)
