"""Regenerates our own messages (server/core/state.proto, server/cluster/peers.proto), with the public protocol's descriptors from the temporalio
package.

Run as `python -m tests.core.generate_state`; a test runs it into a temporary folder and compares.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_tools import protoc
from temporalio.api.workflowservice.v1 import request_response_pb2

SERVER = Path(__file__).resolve().parents[2] / "server"
CORE, CLUSTER = SERVER / "core", SERVER / "cluster"


def descriptors() -> bytes:
    """Every file that the public protocol is made of, dependencies first."""
    out = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        file = descriptor_pool.Default().FindFileByName(name)
        for dependency in file.dependencies:
            add(dependency.name)
        file.CopyToProto(out.file.add())

    add(request_response_pb2.DESCRIPTOR.name)
    return out.SerializeToString()


def generate(source: Path, target: Path) -> None:
    """Writes the …_pb2.py and .pyi of a .proto file into the folder `target`. Raises RuntimeError when protoc refuses."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "api.pb"
        known.write_bytes(descriptors())
        code = protoc.main(
            [
                "protoc",
                f"--descriptor_set_in={known}",
                f"--proto_path={source.parent}",
                *([] if source.parent == CORE else [f"--proto_path={CORE}"]),
                f"--python_out={target}",
                f"--pyi_out={target}",
                source.name,
            ]
        )
        if code:
            msg = f"protoc refused {source.name}"
            raise RuntimeError(msg)
    for name in (f"{source.stem}_pb2.py", f"{source.stem}_pb2.pyi"):
        path = target / name
        text = re.sub(r"^from temporal\.api", "from temporalio.api", path.read_text(), flags=re.MULTILINE)
        path.write_text(
            re.sub(r"^import state_pb2 as", "from server.core import state_pb2 as", text, flags=re.MULTILINE)
        )


SOURCES = (CORE / "state.proto", CLUSTER / "peers.proto")

if __name__ == "__main__":
    for each in SOURCES:
        generate(each, Path(sys.argv[1]) if len(sys.argv) > 1 else each.parent)
