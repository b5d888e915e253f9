"""The file of the dynamic configuration: read again when it changes, and checked before by `tctl config check`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import grpc
import pytest

from server.dynamic_config import DynamicConfig
from server.settings import Settings, SettingsError
from tests.server.frontend_kit import peer
from tests.servers import BIN

SHORT = "limit.maxIDLength:\n  - value: 20\n    constraints: {namespace: default}\n  - value: 1000\n"
LONG_ID = "w" * 30


def written(folder: Path, text: str) -> Path:
    path = folder / "dynamic.yaml"
    path.write_text(text)
    return path


async def test_a_change_holds_without_a_restart(tmp_path: Path) -> None:
    path = written(tmp_path, "limit.maxIDLength:\n  - value: 1000\n")
    settings = Settings.load(None, {}, {"TEMPORAL_SERVER_DYNAMIC_CONFIG": str(path)})
    more = {"dynamic_config": settings.dynamic_config, "dynamic_config_path": settings.dynamic_config_path}
    async with peer(tmp_path, **more) as served:
        await served.start(LONG_ID)
        written(tmp_path, SHORT)
        refused = ""
        while not refused:
            try:
                await served.start(LONG_ID, workflow_id_conflict_policy=2)
            except grpc.aio.AioRpcError as error:
                refused = error.details() or ""
        assert refused == "WorkflowId exceeds maximum allowed length (30/20)"


def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, SHORT)
    given = Settings.load(
        None, {"dynamic_config": {"limit.blobSize.error": 7}}, {"TEMPORAL_SERVER_DYNAMIC_CONFIG": str(path)}
    )
    config = DynamicConfig(given)
    assert not config.reload()
    written(tmp_path, "limit.maxIDLength:\n  - value: many\n")
    with pytest.raises(SettingsError, match="must be a whole number"):
        config.reload()
    assert config.limits("default").id_length_max == 20
    written(tmp_path, "limit.maxIDLength:\n  - value: 30\n")
    assert config.reload()
    limits = config.limits("default")
    assert (limits.id_length_max, limits.blob_size_bytes_max) == (30, 7)


@pytest.mark.parametrize(
    ("text", "code", "out", "error"),
    [
        (SHORT, 0, "1 keys, nothing is wrong", ""),
        ("some.other.key:\n  - value: 1\n", 0, "some.other.key: is not used by this server", ""),
        ("limit.maxIDLength:\n  - value: many\n", 1, "entry 1: the dynamic configuration", "1 of the entries in"),
        ("limit.maxIDLength:\n  - value: 1\n    constraints: {colour: red}\n", 1, "colour is not a constraint", "1 of"),
        ("limit.maxIDLength: 7\n", 1, "", "must be a list of entries with a value"),
    ],
)
def test_a_file_is_checked_by_the_command_line(tmp_path: Path, text: str, code: int, out: str, error: str) -> None:
    path = written(tmp_path, text)
    done = subprocess.run([BIN / "tctl", "config", "check", path], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert out in done.stdout
    assert error in done.stderr
