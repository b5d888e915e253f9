"""The connection to a server: address, TLS and API key from flags, environment and TOML profile, and one way to call it.

Stubs are made when they are first used; every failure of a call is a CommandError with the server's own sentence.
"""

from __future__ import annotations

import functools
import getpass
import socket
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import grpc
import typer
from google.protobuf.message import Message
from temporalio.api.operatorservice.v1 import OperatorServiceStub
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest, WorkflowServiceStub

from tctl.command import CommandError, quoted
from tctl.flags import Common, Connection, pairs

if TYPE_CHECKING:
    from tctl.codec import Codec

Answer = TypeVar("Answer", bound=Message)
CALL_SECONDS = 60.0
MESSAGE_BYTES_MAX = 128 * 1024 * 1024


class CallFailed(CommandError):
    """The server refused a call, or could not be reached. `code` is the gRPC status."""

    def __init__(self, sentence: str, code: grpc.StatusCode) -> None:
        super().__init__(sentence)
        self.code = code


class Client:
    """A channel to one server, with the namespace and identity to use on it."""

    def __init__(self, given: Connection, profile: dict[str, Any], ends: float | None) -> None:
        self.namespace: str = given.namespace or profile.get("namespace") or "default"
        address: str = given.address or profile.get("address") or "localhost:7233"
        self.address = address.replace("${namespace}", self.namespace)
        self.identity = given.identity or _identity()
        api_key = given.api_key or profile.get("api_key")
        self._headers = tuple(
            _headers(self.namespace, api_key, {**profile.get("grpc_meta", {}), **pairs(given.grpc_meta)})
        )
        self.channel = _channel(self.address, given, profile.get("tls"), bool(api_key))
        self._codec = _codec(given, profile, self.namespace)
        self._ends = ends

    @classmethod
    def connect(cls, given: Connection, common: Common) -> Client:
        """A client as the options say. Raises CommandError."""
        profile = {} if common.disable_config_file else _profile(common.config_file, common.profile)
        ends = time.monotonic() + common.command_timeout.total_seconds() if common.command_timeout else None
        client = cls(given, profile, ends)
        if common.client_connect_timeout:
            seconds = common.client_connect_timeout.total_seconds()
            client.ask(client.workflow.GetSystemInfo, GetSystemInfoRequest(), client.unreached, seconds)
        return client

    @property
    def over(self) -> bool:
        """Whether the time for the whole command has run out."""
        return self._ends is not None and time.monotonic() >= self._ends

    @property
    def unreached(self) -> str:
        """How a sentence about a server that cannot be reached begins."""
        return f"failed connecting to Temporal server at {self.address}"

    @functools.cached_property
    def workflow(self) -> WorkflowServiceStub:
        """The public service."""
        return WorkflowServiceStub(self.channel)

    @functools.cached_property
    def operator(self) -> OperatorServiceStub:
        """The operators' service."""
        return OperatorServiceStub(self.channel)

    def ask(
        self, method: Callable[..., Answer], request: Message, failing: str = "", seconds: float = CALL_SECONDS
    ) -> Answer:
        """The answer to one call. Raises CallFailed with the server's sentence, after `failing` and a colon."""
        if self._codec:
            sent = type(request)()
            sent.CopyFrom(request)
            self._codec.apply(sent, "encode")
            request = sent
        timeout = seconds if self._ends is None else max(0.0, min(seconds, self._ends - time.monotonic()))
        try:
            answer = method(request, timeout=timeout, metadata=self._headers)
        except grpc.RpcError as error:
            raise self._failed(error, failing) from None
        if self._codec:
            self._codec.apply(answer, "decode")
        return answer

    def _failed(self, error: Any, failing: str) -> CallFailed:
        code, sentence = error.code(), " ".join((error.details() or "").split())
        if code is grpc.StatusCode.UNAVAILABLE and "connect" in sentence:
            failing, sentence = self.unreached, sentence.rpartition(": ")[2].lower()
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED and self.over:
            sentence = "command timed out"
        elif code is grpc.StatusCode.UNIMPLEMENTED and not sentence:
            sentence = "the server does not have this operation"
        sentence = sentence or code.name
        return CallFailed(f"{failing}: {sentence}" if failing else sentence, code)


def _headers(namespace: str, api_key: str | None, more: dict[str, str]) -> Iterable[tuple[str, str]]:
    headers = {"client-name": "temporal-cli", "client-version": "1.9.0", "caller-type": "operator"}
    headers |= {"supported-server-versions": ">=1.0.0 <2.0.0", "temporal-namespace": namespace}
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    return {**headers, **{key.lower(): value for key, value in more.items()}}.items()


def _codec(given: Connection, profile: dict[str, Any], namespace: str) -> Codec | None:
    known = profile.get("codec", {})
    endpoint, auth = given.codec_endpoint or known.get("endpoint"), given.codec_auth or known.get("auth")
    if not endpoint:
        return None
    from tctl.codec import Codec

    headers = {"X-Namespace": namespace, **({"Authorization": auth} if auth else {}), **pairs(given.codec_header)}
    return Codec(endpoint.replace("{namespace}", namespace), headers)


def _identity() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown-user"
    return f"temporal-cli:{user}@{socket.gethostname()}"


def _channel(address: str, given: Connection, profile: dict[str, Any] | None, keyed: bool) -> grpc.Channel:
    limits = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.max_send_message_length", -1)]
    options: list[tuple[str, Any]] = [*limits, ("grpc.enable_http_proxy", 0)]
    if given.client_authority:
        options.append(("grpc.default_authority", given.client_authority))
    material = _Tls.of(given, profile or {})
    wanted = keyed or bool(given.tls) or any(material) or (profile is not None and not profile.get("disabled"))
    if given.tls is False or not wanted:
        return grpc.insecure_channel(address, options)
    if material.disable_host_verification:
        raise CommandError("TLS host verification cannot be disabled here, use --tls-server-name or --tls-ca-path")
    if material.server_name:
        options.append(("grpc.ssl_target_name_override", material.server_name))
    return grpc.secure_channel(address, material.credentials(), options)


class _Tls(NamedTuple):
    """What TLS needs: the trusted CA, the client's certificate and key in PEM, the server's name."""

    ca: bytes
    cert: bytes
    key: bytes
    server_name: str
    disable_host_verification: bool

    @classmethod
    def of(cls, given: Connection, profile: dict[str, Any]) -> _Tls:
        return cls(
            ca=_pem(given.tls_ca_data, given.tls_ca_path, profile, "server_ca_cert"),
            cert=_pem(given.tls_cert_data, given.tls_cert_path, profile, "client_cert"),
            key=_pem(given.tls_key_data, given.tls_key_path, profile, "client_key"),
            server_name=given.tls_server_name or profile.get("server_name", ""),
            disable_host_verification=given.tls_disable_host_verification
            or bool(profile.get("disable_host_verification")),
        )

    def credentials(self) -> grpc.ChannelCredentials:
        if bool(self.cert) != bool(self.key):
            raise CommandError("a TLS client certificate and its key must be given together")
        return grpc.ssl_channel_credentials(self.ca or None, self.key or None, self.cert or None)


def _pem(data: str | None, path: str | None, profile: dict[str, Any], key: str) -> bytes:
    data = data or (None if path else profile.get(f"{key}_data"))
    path = path or profile.get(f"{key}_path")
    if data:
        return data.encode()
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None


def _profile(file: str | None, name: str | None) -> dict[str, Any]:
    """One profile of the TOML file; empty when neither the file nor the profile was asked for by name and is not there."""
    path = Path(file) if file else Path(typer.get_app_dir("temporalio", roaming=False)) / "temporal.toml"
    if not file and not path.exists():
        content: dict[str, Any] = {}
    else:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:
            raise CommandError(f"{path} is not TOML: {error}") from None
    found: dict[str, Any] = content.get("profile", {}).get(name or "default", {})
    if name and not found:
        raise CommandError(f"unable to find profile {quoted(name)} in config data")
    return found
