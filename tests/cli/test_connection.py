"""How the server is reached: address, namespace, key, TLS and headers, from flags, environment and the TOML file."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse

from tests.cli.conftest import Result, tctl

Asked = list[tuple[CountWorkflowExecutionsRequest, dict[str, Any]]]


class Spy(grpc.GenericRpcHandler):
    """Answers CountWorkflowExecutions and remembers who asked."""

    def __init__(self) -> None:
        self.asked: Asked = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """The one method for all names."""
        return grpc.unary_unary_rpc_method_handler(
            self.answer,
            request_deserializer=CountWorkflowExecutionsRequest.FromString,
            response_serializer=CountWorkflowExecutionsResponse.SerializeToString,
        )

    def answer(self, request: Any, context: grpc.ServicerContext) -> CountWorkflowExecutionsResponse:
        """Seven."""
        self.asked.append((request, dict(context.invocation_metadata())))
        return CountWorkflowExecutionsResponse(count=7)


class Place:
    """A server that remembers, and its port."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.spy = Spy()
        self.server = grpc.server(ThreadPoolExecutor(2))
        self.server.add_generic_rpc_handlers((self.spy,))
        at = "127.0.0.1:0"
        port = self.server.add_secure_port(at, credentials) if credentials else self.server.add_insecure_port(at)
        self.address = f"127.0.0.1:{port}"
        self.server.start()

    @property
    def last(self) -> tuple[CountWorkflowExecutionsRequest, dict[str, Any]]:
        """The last question and its headers."""
        return self.spy.asked[-1]


@pytest.fixture
def place() -> Iterator[Place]:
    """A server without TLS."""
    found = Place()
    yield found
    found.server.stop(0)


def count(*words: str) -> Result:
    """Asks the server."""
    return tctl("workflow", "count", *words)


def test_headers(place: Place) -> None:
    assert count("--address", place.address, "--grpc-meta", "Colour=red", "--identity", "me").out == "Total: 7\n"
    request, headers = place.last
    assert (request.namespace, headers["colour"], headers["temporal-namespace"]) == ("default", "red", "default")
    assert headers["client-name"] == "temporal-cli"


def test_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", place.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "here")
    assert count().code == 0
    assert place.last[0].namespace == "here"
    assert count("-n", "there").code == 0
    assert place.last[0].namespace == "there"
    assert "localhost:7233" in count("--disable-config-env", "--client-connect-timeout", "1s").err


def test_key_implies_tls_unless_told_not(place: Place) -> None:
    assert count("--address", place.address, "--api-key", "secret").code == 1
    assert count("--address", place.address, "--api-key", "secret", "--tls=false").code == 0
    assert place.last[1]["authorization"] == "Bearer secret"


def test_profiles(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(
        f'[profile.default]\naddress = "{place.address}"\nnamespace = "a"\n'
        f'[profile.other]\naddress = "{place.address}"\nnamespace = "b"\napi_key = "k"\n'
        '[profile.other.tls]\ndisabled = true\n[profile.other.grpc_meta]\ncolour = "blue"\n'
    )
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    assert count().code == 0
    assert place.last[0].namespace == "a"
    assert count("--profile", "other", "--tls=false").code == 0
    assert (place.last[0].namespace, place.last[1]["colour"]) == ("b", "blue")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "c")
    assert count().code == 0
    assert place.last[0].namespace == "c"


class Reverse(BaseHTTPRequestHandler):
    """A codec that turns the bytes of payloads round."""

    seen: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:
        """Encode is decode."""
        found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        for each in found["payloads"]:
            each["data"] = base64.b64encode(base64.b64decode(each["data"])[::-1]).decode()
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def test_remote_codec(address: str) -> None:
    on = ("--address", address, "-w", "encoded")
    with HTTPServer(("127.0.0.1", 0), Reverse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/{{namespace}}"
        codec = ("--codec-endpoint", endpoint, "--codec-auth", "secret", "--codec-header", "colour=red")
        assert tctl("workflow", "start", *on, *codec, "--type", "T", "-t", "nobody", "-i", "123").code == 0
        decoded = tctl("workflow", "show", *on, *codec, "--detailed").out
        server.shutdown()
    assert "input[0]: 123\n" in decoded
    assert "input[0]: 321\n" in tctl("workflow", "show", *on, "--detailed").out
    path, headers = Reverse.seen[0]
    assert path == "/default/encode"
    assert (headers["authorization"], headers["colour"], headers["x-namespace"]) == ("secret", "red", "default")
    assert Reverse.seen[-1][0] == "/default/decode"
    refused = tctl("workflow", "show", *on, "--codec-endpoint", "http://127.0.0.1:1")
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_namespace_in_the_address(place: Place) -> None:
    host, port = place.address.split(":")
    assert "abc.invalid" in count("--address", "${namespace}.invalid:1", "-n", "abc").err
    assert count("--address", f"{host}:{port}").code == 0


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `tests.invalid` that trusts itself, and one for a client."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")
    folder = tmp_path_factory.mktemp("certificates")
    for name, host in (("server", "tests.invalid"), ("client", "client.invalid")):
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}"]
        files = ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"]
        files += ["-addext", f"subjectAltName=DNS:{host}"]
        subprocess.run([openssl, *request, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def secured(certificates: Path) -> Iterator[Place]:
    """A server that wants a certificate."""
    key, cert, client = ((certificates / name).read_bytes() for name in ("server.key", "server.pem", "client.pem"))
    found = Place(grpc.ssl_server_credentials([(key, cert)], client, require_client_auth=True))
    yield found
    found.server.stop(0)


def test_tls_with_a_certificate_of_the_client(
    secured: Place, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ("--tls-cert-path", str(certificates / "client.pem"), "--tls-key-path", str(certificates / "client.key"))
    on = ("--address", secured.address, "--tls-server-name", "tests.invalid")
    trusted = str(certificates / "server.pem")
    assert count(*on, "--tls-ca-path", trusted, *own, "--api-key", "k").out == "Total: 7\n"
    assert secured.last[1]["authorization"] == "Bearer k"
    refused = count(*on, "--tls-ca-path", trusted)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert count("--address", secured.address, "--tls-ca-path", trusted, *own).code == 1
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_DATA", Path(trusted).read_text())
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", own[1])
    monkeypatch.setenv("TEMPORAL_TLS_KEY", own[3])
    assert count(*on).out == "Total: 7\n"
