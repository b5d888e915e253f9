"""Options of running workflows, told to the official server and to ours."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from tests.reference.conftest import Pair
from tests.reference.test_histories import Teller


def refused(t: Teller, rpc: str, **fields: Any) -> Any:
    """Makes a call and tells the answer, be it a refusal."""
    try:
        return t.tell(t.call(rpc, **fields))
    except grpc.RpcError as error:
        t.told.append([error.code().name, t._text(error.details() or "")])  # type: ignore[attr-defined]


def same(pair: Pair, story: Callable[[Teller], None]) -> None:
    """Tells a story to both, and fails with what they told differently."""
    id = f"{story.__name__}-{pair.ours.tag}"
    tellers = [Teller(world, id) for world in (pair.official, pair.ours)]
    with ThreadPoolExecutor(2) as both:
        list(both.map(story, tellers))
    official, ours = ("\n".join(json.dumps(each, indent=1) for each in teller.told).splitlines() for teller in tellers)
    difference = list(difflib.unified_diff(official, ours, "official", "ours", n=4, lineterm=""))
    if difference:
        pytest.fail("\n".join(difference))
