"""One server for all SDK tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("sdk")
    labels = ("--search-attribute", "SdkKeyword=Keyword", "--search-attribute", "SdkNumber=Int")
    with running("tctl", *labels, file=folder / "temporal.db", log=folder / "server.log") as server:
        yield server
