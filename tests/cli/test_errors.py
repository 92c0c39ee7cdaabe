# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at first: each is one sentence with a next step, and never a traceback."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .scripted_api import Api, environment, mlops, serving


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        yield found


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by nobody else; in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def told(api: Api, *arguments: str, **environment: str) -> str:
    """What `mlops` prints where it fails; a sentence and at most a next step and a request id."""
    done = mlops(api, *arguments, **environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    return done.stderr


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("User: anonymous is not authorized", "execute-api:Invoke on arn:aws:execute-api:us-east-1:*:"),
        ("The security token included in the request is expired", "the credentials have expired"),
        ("The security token included in the request is invalid.", "check that the credentials"),
        ("The request signature we calculated does not match", "check that the credentials and --region"),
        ("Credential should be scoped to a valid region.", "check that the credentials and --region"),
        ("Missing Authentication Token", "check --api-url"),
    ],
)
def test_a_403_names_what_to_do(api: Api, message: str, hint: str) -> None:
    api.responses = {"pipelinestatus": [(403, {}, {"message": message, "errors": []})]}
    printed = told(api, "status", "x")
    assert message in printed
    assert hint in printed
    if "not authorized" in message:
        assert "/prod/POST/pipelinestatus" in printed


@pytest.mark.parametrize("status", [200, 403, 407])
@pytest.mark.parametrize("text", ["<html><body>Please sign in</body></html>" + "x" * 5000, "", "[]", '"text"'])
def test_a_response_that_is_not_the_apis(api: Api, status: int, text: str) -> None:
    api.responses = {"pipelinestatus": [(status, {"Content-Type": "text/html"}, text)]}
    printed = told(api, "status", "x")
    assert f"{api.url}/pipelinestatus responded with status {status} and no JSON object" in printed
    assert "HTTPS_PROXY" in printed
    assert len(printed) < 500


@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_endpoint_that_is_not_aws(api: Api, status: int) -> None:
    api.responses = {"": [(status, {"Content-Type": "text/html"}, "<html>hello</html>")]}
    printed = told(api, "run", "x", AWS_ENDPOINT_URL=api.url.removesuffix("/prod"))
    assert "--endpoint-url" in printed


def test_a_certificate_that_is_not_trusted_and_one_that_is(certificate: Path) -> None:
    with serving(certificate) as api:
        api.responses = {"pipelinestatus": [(404, {}, {"message": "There is no pipeline 'x'", "errors": []})]}
        printed = told(api, "status", "x")
        assert "SSL validation failed" in printed
        assert "AWS_CA_BUNDLE" in printed
        assert "no pipeline 'x'" in told(api, "status", "x", AWS_CA_BUNDLE=str(certificate))


def test_a_proxy_is_used_except_for_this_machine(api: Api) -> None:
    api.responses = {"pipelinestatus": [(404, {}, {"message": "There is no pipeline 'x'", "errors": []})]}
    proxy = api.url.removesuffix("/prod")
    assert "no pipeline 'x'" in told(api, "status", "x", "--api-url", "http://api.invalid/prod", HTTP_PROXY=proxy)
    assert api.paths[0] == "http://api.invalid/prod/pipelinestatus"
    assert "no pipeline 'x'" in told(api, "status", "x", HTTP_PROXY="http://127.0.0.1:9")
    printed = told(api, "status", "x", "--api-url", "http://api.invalid/prod", HTTP_PROXY="http://127.0.0.1:9")
    assert "check HTTPS_PROXY and NO_PROXY" in printed


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence", "hint"),
    [
        (["status", "x", "--region", ""], {"AWS_REGION": ""}, "No AWS Region is set", "--region us-east-1"),
        (["status", "x"], {"AWS_ACCESS_KEY_ID": ""}, "No AWS credentials found", 'eval "$(mlops local env)"'),
        (["status", "x", "--profile", "nobody"], {}, "(nobody) could not be found", "~/.aws/config"),
        (
            ["status", "x", "--api-url", "http://127.0.0.1:9"],
            {},
            "Could not connect",
            "start the laptop account: mlops local up",
        ),
        (["run", "x"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect", "mlops local up"),
    ],
)
def test_without_what_is_needed(
    api: Api, arguments: list[str], environment: dict[str, str], sentence: str, hint: str, tmp_path: Path
) -> None:
    isolated = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    printed = told(api, *arguments, AWS_EC2_METADATA_DISABLED="true", **{**isolated, **environment})
    assert sentence in printed
    assert hint in printed


@pytest.mark.parametrize("command", ["init model_training_builtin", "types", "status x --json", "status x"])
def test_a_reader_that_ends_is_no_error(api: Api, command: str) -> None:
    pipeline = {"name": "x", "status": "Succeeded", "stages": [], "outputs": {str(n): "x" * 99 for n in range(2000)}}
    api.responses = {"pipelinestatus": [(200, {}, {"pipeline": pipeline})]}
    line = f"{sys.executable} -m mlops.cli --api-url {api.url} {command} | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(api), timeout=60)
    assert (done.returncode, done.stderr if "types" not in command else "") == (0, "")


def test_expired_sso_credentials(api: Api, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile sso]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = r\nregion = us-east-1\n"
    )
    isolated = {"AWS_CONFIG_FILE": str(config), "HOME": str(tmp_path)}
    printed = told(api, "status", "x", "--profile", "sso", AWS_ACCESS_KEY_ID="", **isolated)
    assert "aws sso login" in printed
