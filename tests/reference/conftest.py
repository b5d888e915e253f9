"""The official server and ours, each with the same world on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import grpc
import pytest

from tests.reference.world import World
from tests.servers import running

BIG = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Pair(NamedTuple):
    """The two to compare."""

    official: World
    ours: World


@pytest.fixture(scope="module")  # a held workflow task ends after two minutes
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both started with the module's FLAGS."""
    tag, log = uuid.uuid4().hex[:12], tmp_path_factory.mktemp("reference")
    attributes = ("--search-attribute", "Colour=Keyword", "--search-attribute", "Size=Int")
    attributes += getattr(request.module, "FLAGS", ())
    with (
        running("temporal", *attributes, log=log / "official.log") as official,
        running("tctl", *attributes, log=log / "ours.log") as ours,
        grpc.insecure_channel(official.address, options=BIG) as one,
        grpc.insecure_channel(ours.address, options=BIG) as two,
    ):
        yield Pair(World(one, tag), World(two, tag))
