"""Settings: where each comes from, who wins, and the sentence for each wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.settings import KEYS, Settings, SettingsError

FILE = """
store: postgresql://temporal@db/temporal
roles: [frontend, history]
frontend: {address: "0.0.0.0:7000", http: "127.0.0.1:7001"}
metrics: {address: "0.0.0.0:9090"}
search_attributes: {Colour: Keyword}
dynamic_config: dynamic.yaml
log: {level: debug}
"""
DYNAMIC = """
frontend.rps:
- value: 100
- value: 5
  constraints: {namespace: small}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "dynamic.yaml").write_text(DYNAMIC)
    (tmp_path / "config.yaml").write_text(FILE)
    return tmp_path / "config.yaml"


def test_nothing_given_is_a_server_in_memory() -> None:
    assert Settings.load(None, {}, {}) == Settings()


def test_file_is_read(file: Path) -> None:
    settings = Settings.load(file, {}, {})
    assert (settings.host, settings.port) == ("0.0.0.0", 7000)
    assert (settings.http_host, settings.http_port, settings.metrics_port) == ("127.0.0.1", 7001, 9090)
    assert settings.roles == ("frontend", "history")
    assert settings.shards == 64
    assert settings.log_level == "debug"


def test_flag_wins_over_environment_and_that_over_file(file: Path) -> None:
    environ = {"TEMPORAL_SERVER_ADDRESS": "h:1", "TEMPORAL_SERVER_SEARCH_ATTRIBUTES": "Size=Int"}
    settings = Settings.load(file, {"port": 2, "host": None, "search_attributes": {"When": "Datetime"}}, environ)
    assert (settings.host, settings.port) == ("h", 2)
    assert settings.search_attributes == {"Colour": "Keyword", "Size": "Int", "When": "Datetime"}


def test_every_setting_has_an_environment_variable_of_its_own() -> None:
    variables = [key.variable for key in KEYS.values()]
    assert len(set(variables)) == len(variables)
    assert all(variable.startswith("TEMPORAL_SERVER_") for variable in variables)


def test_dynamic_value_with_most_constraints_wins(file: Path) -> None:
    settings = Settings.load(file, {"dynamic_config": {"limit.blobSize.error": 7}}, {})
    assert settings.dynamic("frontend.RPS", 0) == 100
    assert settings.dynamic("frontend.rps", 0, namespace="small") == 5
    assert settings.dynamic("frontend.rps", 0, namespace="other") == 100
    assert settings.dynamic("limit.blobsize.error", 0) == 7
    assert settings.dynamic("absent", "default") == "default"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"store": "file.db"}, "the store 'file.db' is not a URL such as sqlite:///temporal.db"),
        ({"port": 70_000}, "port must be from 0 to 65535, not 70000"),
        ({"shards": 0}, "shards must be from 1 to 16384, not 0"),
        ({"roles": ("chef",)}, "the role must be one of frontend, history, matching, worker, not 'chef'"),
        ({"namespaces": ("",)}, "a namespace needs a name"),
        ({"log_level": "loud"}, "the log level must be one of debug, info, warn, error, never, not 'loud'"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(None, overrides, {})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "content",
    ["colour: red", "frontend: {colour: red}", "frontend: {address: 7233}", "- a", "a: [", "shards: many", "roles: 5"],
)
def test_wrong_files_are_refused_with_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        Settings.load(path, {}, {})
    assert "\n" not in str(caught.value)
