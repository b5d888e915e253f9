"""Who is let in: TLS and mutual TLS on both ports, certificates that change while the server runs, tokens and API keys."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from server.cluster import peers_pb2 as p
from server.cluster.peers import SERVICE
from server.run import running
from server.settings import Settings, SettingsError

SECONDS_MAX = 10.0
NAMES = ("localhost", "127.0.0.1")


class Pem(NamedTuple):
    """Files of one who takes part."""

    cert: str
    key: str

    def read(self) -> tuple[bytes, bytes]:
        return Path(self.key).read_bytes(), Path(self.cert).read_bytes()


class World:
    """Two authorities, of which the server believes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.other = trustme.CA(), trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.ours.cert_pem.write_to_path(self.ca)

    def issue(self, name: str, ca: trustme.CA | None = None, **more: Any) -> Pem:
        made = (ca or self.ours).issue_cert(*NAMES, **more)
        pem = Pem(str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key"))
        Path(pem.cert).write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(pem.key)
        return pem


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def settings(folder: Path, **more: Any) -> Settings:
    given = {
        "store": f"sqlite:///{folder}/server.db",
        "setup": True,
        "port": 0,
        "namespaces": ("default", "other"),
        **more,
    }
    return Settings(**given)


@asynccontextmanager
async def open_channel(
    port: int, world: World, pem: Pem | None, ca: trustme.CA | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    key, cert = pem.read() if pem else (None, None)
    root = (ca or world.ours).cert_pem.bytes()
    credentials = grpc.ssl_channel_credentials(root, key, cert)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        yield channel


async def told(channel: grpc.aio.Channel, metadata: Any = ()) -> list[str]:
    """What a call of each service comes to: "OK" or the status."""
    peer = channel.unary_unary(
        f"/{SERVICE.full_name}/Refresh",
        request_serializer=p.RefreshRequest.SerializeToString,
        response_deserializer=bytes,
    )
    calls = {
        "workflow": lambda: WorkflowServiceStub(channel).DescribeNamespace(
            DescribeNamespaceRequest(namespace="default"), timeout=SECONDS_MAX, metadata=metadata
        ),
        "operator": lambda: OperatorServiceStub(channel).ListSearchAttributes(
            ListSearchAttributesRequest(namespace="default"), timeout=SECONDS_MAX, metadata=metadata
        ),
        "health": lambda: health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=SECONDS_MAX, metadata=metadata
        ),
        "peer": lambda: peer(p.RefreshRequest(kind="namespace"), timeout=SECONDS_MAX, metadata=metadata),
    }
    out = []
    for call in calls.values():
        try:
            await call()  # type: ignore[no-untyped-call]
        except grpc.aio.AioRpcError as error:
            out.append(error.code().name)
        else:
            out.append("OK")
    return out


OUTSIDE = ["OK", "OK", "OK", "UNIMPLEMENTED"]
INSIDE = ["UNIMPLEMENTED", "UNIMPLEMENTED", "UNIMPLEMENTED", "OK"]
NOBODY = ["UNAVAILABLE"] * 4
YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


@pytest.mark.parametrize("inside", [False, True], ids=["frontend", "internal"])
@pytest.mark.parametrize("who", ["right", "nobody", "another authority's", "expired", "believes another authority"])
async def test_who_is_let_in_with_mutual_tls(world: World, tmp_path: Path, inside: bool, who: str) -> None:
    server = world.issue("server")
    tls = {
        "frontend_cert": server.cert,
        "frontend_key": server.key,
        "frontend_client_ca": (world.ca,),
        "internal_cert": server.cert,
        "internal_key": server.key,
        "internal_ca": (world.ca,),
    }
    client = {
        "right": world.issue("client"),
        "nobody": None,
        "another authority's": world.issue("stranger", world.other),
        "expired": world.issue("old", not_after=YESTERDAY, not_before=YESTERDAY - dt.timedelta(days=1)),
        "believes another authority": world.issue("client"),
    }[who]
    believed = world.other if who.startswith("believes") else None
    port = free_port()
    async with (
        running(settings(tmp_path, **tls, internal_port=port, internal_host="127.0.0.1")) as there,
        open_channel(port if inside else there.port, world, client, believed) as channel,
    ):
        allowed = INSIDE if inside else OUTSIDE
        assert await told(channel) == (allowed if who == "right" else NOBODY)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_new_certificate_is_used_without_a_restart(world: World, tmp_path: Path) -> None:
    old = world.issue("server")
    async with running(settings(tmp_path, frontend_cert=old.cert, frontend_key=old.key)) as there:
        async with open_channel(there.port, world, None) as channel:
            assert await told(channel) == OUTSIDE
        world.issue("server", world.other)
        async with open_channel(there.port, world, None, world.other) as channel:
            assert await told(channel) == OUTSIDE
        async with open_channel(there.port, world, None) as channel:
            assert await told(channel) == NOBODY


async def test_plain_text_is_not_spoken_where_there_is_tls(world: World, tmp_path: Path) -> None:
    server = world.issue("server")
    async with (
        running(settings(tmp_path, frontend_cert=server.cert, frontend_key=server.key)) as there,
        grpc.aio.insecure_channel(f"localhost:{there.port}") as channel,
    ):
        assert await told(channel) == NOBODY


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"frontend_cert": "a.pem"}, "tls.frontend.cert and tls.frontend.key belong together"),
        ({"frontend_client_ca": ("a.pem",)}, "tls.frontend.client_ca needs tls.frontend.cert"),
        (
            {"internal_cert": "a.pem", "internal_key": "a.key"},
            "tls.internal.ca says whose certificates are believed: it goes with tls.internal.cert",
        ),
        (
            {"internal_host": "0.0.0.0", "internal_port": 7234},
            "the internal address is open to other machines: it needs tls.internal, or internal.plaintext where the network is safe",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**given)
    assert str(caught.value) == sentence


# Tokens and API keys ---------------------------------------------------------------------------------------------------------------


class Issuer:
    """Signs tokens; its public keys are in a file."""

    def __init__(self, folder: Path) -> None:
        self.keys = {
            name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("good", "forged")
        }
        self.file = folder / "jwks.json"
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.keys["good"].public_key()))
        self.file.write_text(json.dumps({"keys": [{**public, "kid": "good", "alg": "RS256", "use": "sig"}]}))

    def token(self, *permissions: str, key: str = "good", **claims: Any) -> str:
        content = {
            "iss": "us",
            "aud": "temporal",
            "sub": "me",
            "exp": time.time() + 60,
            "permissions": list(permissions),
            **claims,
        }
        return jwt.encode(content, self.keys[key], algorithm="RS256", headers={"kid": "good"})


DENIED = ["PERMISSION_DENIED"] * 2


@pytest.mark.parametrize(
    ("permissions", "claims", "expected"),
    [
        (["default:read"], {}, ["OK", "OK"]),
        (["temporal-system:admin"], {}, ["OK", "OK"]),
        (["other:admin"], {}, DENIED),
        ([], {}, DENIED),
        (["default:read"], {"exp": 1}, DENIED),
        (["default:read"], {"iss": "them"}, DENIED),
        (["default:read"], {"aud": "elsewhere"}, DENIED),
        (["default:read"], {"key": "forged"}, DENIED),
    ],
    ids=["reader", "admin", "other namespace", "nothing", "expired", "issuer", "audience", "forged"],
)
async def test_whom_a_token_lets_in(
    tmp_path: Path, permissions: list[str], claims: dict[str, Any], expected: list[str]
) -> None:
    issuer = Issuer(tmp_path)
    auth = {"auth_jwks": (str(issuer.file),), "auth_issuer": "us", "auth_audience": "temporal"}
    async with (
        running(settings(tmp_path, **auth)) as there,
        grpc.aio.insecure_channel(f"localhost:{there.port}") as channel,
    ):
        metadata = [("authorization", f"Bearer {issuer.token(*permissions, **claims)}")]
        assert (await told(channel, metadata))[:2] == expected
        assert (await told(channel))[:2] == DENIED


async def test_whom_an_api_key_lets_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = "k" * 43
    keys = tmp_path / "keys.yaml"
    digest = hashlib.sha256(key.encode()).hexdigest()
    keys.write_text(f"- name: ci\n  sha256: {digest}\n  permissions: [default:read]\n")
    async with (
        running(settings(tmp_path, auth_api_keys=str(keys))) as there,
        grpc.aio.insecure_channel(f"localhost:{there.port}") as channel,
    ):
        assert (await told(channel, [("authorization", f"Bearer {key}")]))[:2] == ["OK", "OK"]
        assert (await told(channel, [("authorization", "Bearer other")]))[:2] == DENIED
    assert "denied: DescribeNamespace" in caplog.text
