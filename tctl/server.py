"""`tctl server`: runs a server in this process, for development on a SQLite file or in memory, or as a configuration says.

Nothing of the server is imported before one of these commands runs.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

from tctl.command import CommandError, command, group, quoted
from tctl.flags import Local, json_pairs, option, pairs

if TYPE_CHECKING:
    from server.settings import Settings

app = group("Run a server")


@dataclasses.dataclass(slots=True, kw_only=True)
class Serve:
    """What every way to start a server takes. None and empty mean: not given."""

    port: Annotated[int | None, option("--port", "-p", help="Port of the gRPC service (7233).")] = None
    ip: Annotated[str | None, option("--ip", help="Address the services are bound to (localhost).")] = None
    http_port: Annotated[int | None, option("--http-port", help="Port of the HTTP API.")] = None
    metrics_port: Annotated[int | None, option("--metrics-port", help="Port of /metrics.")] = None
    namespace: Annotated[
        list[str], option("--namespace", "-n", help="Namespace to make at start; may be repeated.")
    ] = dataclasses.field(default_factory=list)
    search_attribute: Annotated[
        list[str], option("--search-attribute", metavar="NAME=TYPE", help="Search attribute to add; may be repeated.")
    ] = dataclasses.field(default_factory=list)
    dynamic_config_value: Annotated[
        list[str], option("--dynamic-config-value", metavar="KEY=JSON", help="Dynamic configuration; may be repeated.")
    ] = dataclasses.field(default_factory=list)
    log_config: Annotated[bool, option("--log-config", help="Print the settings to stderr.")] = False

    def settings(self, call: Local, config: str | None = None, **more: Any) -> Settings:
        """The settings that result from these flags and `more`, the environment and the file. Raises CommandError."""
        from server.settings import Settings, SettingsError

        given = {
            "host": "127.0.0.1" if self.ip == "localhost" else self.ip,
            "port": self.port,
            "http_port": self.http_port,
            "metrics_port": self.metrics_port,
            "namespaces": tuple(self.namespace) or None,
            "search_attributes": _types(self.search_attribute),
            "dynamic_config": _values(self.dynamic_config_value),
            "log_level": call.common.log_level,
            "log_format": call.common.log_format,
        }
        try:
            return Settings.load(config, given | more, os.environ)
        except SettingsError as error:
            raise CommandError(str(error)) from None


@dataclasses.dataclass(slots=True, kw_only=True)
class WebUi:
    """The flags for a Web UI, which this server does not have."""

    headless: Annotated[bool, option("--headless", help="No Web UI (there is none in this server).")] = False
    ui_port: Annotated[int | None, option("--ui-port", help="Accepted; this server has no Web UI.")] = None
    ui_ip: Annotated[str, option("--ui-ip", hidden=True)] = ""
    ui_asset_path: Annotated[str, option("--ui-asset-path", hidden=True)] = ""
    ui_codec_endpoint: Annotated[str, option("--ui-codec-endpoint", hidden=True)] = ""
    ui_public_path: Annotated[str, option("--ui-public-path", hidden=True)] = ""
    ui_disable_news_fetch: Annotated[bool, option("--ui-disable-news-fetch", hidden=True)] = False

    def warn(self) -> None:
        """Says so when one was asked for."""
        if self != WebUi(headless=self.headless) and not self.headless:
            print("Warning: this server has no Web UI, so the --ui flags have no effect", file=sys.stderr)


@command(app, "start-dev")
def start_dev(
    call: Local,
    serve: Serve,
    ui: WebUi,
    *,
    db_filename: Annotated[
        str, option("--db-filename", "-f", help="File that keeps everything; without it, all is lost at the end.")
    ] = "",
    sqlite_pragma: Annotated[
        list[str], option("--sqlite-pragma", metavar="PRAGMA=VALUE", help="SQLite pragma; may be repeated.")
    ] = [],  # noqa: B006
) -> None:
    """Run a development server, with everything set up."""
    ui.warn()
    pragmas = urlencode(_pairs(sqlite_pragma, "invalid pragma"))
    path = quote(str(Path(db_filename).absolute())) if db_filename else ":memory:"
    settings = serve.settings(
        call,
        store=f"sqlite:///{path}?{pragmas}".rstrip("?") if db_filename or pragmas else None,
        setup=True,
        namespaces=("default", *serve.namespace),
        log_level=call.common.log_level or "warn",
    )
    if settings.metrics_port is None:
        settings = dataclasses.replace(settings, metrics_port=_free_port(settings.host))
    _run(call, settings, db_filename or "in-memory", serve.log_config)


@command(app, "start")
def start(
    call: Local,
    serve: Serve,
    *,
    config: Annotated[str | None, option("--config", "-c", help="YAML file of settings.")] = None,
    store: Annotated[str | None, option("--store", help="URL of the database: sqlite:///temporal.db.")] = None,
    setup: Annotated[bool | None, option("--setup/--no-setup", help="Set up or update the schema first.")] = None,
    role: Annotated[
        list[str], option("--role", help="frontend, history, matching or worker; all when not given.")
    ] = [],  # noqa: B006
    shards: Annotated[int | None, option("--shards", help="Number of shards, fixed at setup.")] = None,
    internal_address: Annotated[
        str | None,
        option(
            "--internal-address", metavar="HOST:PORT", help="Where the other processes of the cluster reach this one."
        ),
    ] = None,
) -> None:
    """Run a server as flags, environment and a YAML file say, in this order of weight."""
    given: dict[str, Any] = {"roles": tuple(role) or None}
    if internal_address is not None:
        given["internal_host"], given["internal_port"] = _address(internal_address)
    settings = serve.settings(call, config, store=store, setup=setup, shards=shards, **given)
    from server.settings import without_password

    _run(call, settings, without_password(settings.store), serve.log_config)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise CommandError(f"--internal-address must be HOST:PORT, not {quoted(text)}")
    return host.strip("[]"), int(port)


def _run(call: Local, settings: Settings, stored: str, log_config: bool) -> None:
    """Runs the server until it is told to stop; the banner comes when it serves."""
    for what, host, port in _ports(settings):
        _check_free(what, host, port)
    from drivers.base import Fault
    from server import run
    from server.settings import SettingsError

    _log(settings.log_level, settings.log_format)
    if log_config:
        print(*(f"{name}: {value!r}" for name, value in settings.described().items()), sep="\n", file=sys.stderr)
    try:
        code = run.main(settings, lambda: _banner(call, settings, stored))
    except (SettingsError, Fault, OSError) as error:
        raise CommandError(f"failed starting server: {error}") from None
    if code:
        raise CommandError(f"the server ended with code {code}")


def _ports(settings: Settings) -> list[tuple[str, str, int]]:
    places = [
        ("frontend", settings.host, settings.port),
        ("frontend HTTP", settings.http_host or settings.host, settings.http_port),
        ("metrics", settings.metrics_host or settings.host, settings.metrics_port),
    ]
    return [(what, host, port) for what, host, port in places if port]


def _check_free(what: str, host: str, port: int) -> None:
    """gRPC would share a port with a server that runs already (SO_REUSEPORT), and each would get half of the calls."""
    try:
        _bound(host, port)
    except OSError as error:
        raise CommandError(f"can't set {what} port {port}: {error.strerror}") from None


def _free_port(host: str) -> int:
    return _bound(host, 0)


def _bound(host: str, port: int) -> int:
    """Binds the port for a moment and returns its number (0: any free one). Raises OSError."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
        found: int = probe.getsockname()[1]
        return found


def _banner(call: Local, settings: Settings, stored: str) -> None:
    from importlib.metadata import version

    lines = [("Temporal Server:", f"{_friendly(settings.host)}:{settings.port}"), ("Temporal Persistence:", stored)]
    if settings.http_port is not None:
        lines.append(("Temporal HTTP:", f"{_friendly(settings.http_host or settings.host)}:{settings.http_port}"))
    if settings.metrics_port is not None:
        host = _friendly(settings.metrics_host or settings.host)
        lines.append(("Temporal Metrics:", f"http://{host}:{settings.metrics_port}/metrics"))
    call.printer.line(f"tctl {version('tctl')}\n")
    for name, value in lines:
        call.printer.line(f"{name:<21} {value}")


def _friendly(host: str) -> str:
    if host in ("127.0.0.1", "::1"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _pairs(items: list[str], wrong: str) -> dict[str, str]:
    try:
        return pairs(items)
    except CommandError as error:
        raise CommandError(f"{wrong}: {error}") from None


def _types(items: list[str]) -> dict[str, str]:
    """NAME=TYPE items with the type in its official spelling."""
    from server.settings import SEARCH_ATTRIBUTE_TYPES

    spelled = {kind.lower(): kind for kind in SEARCH_ATTRIBUTE_TYPES}
    found = _pairs(items, "invalid search attributes")
    for name, kind in found.items():
        if kind.lower() not in spelled:
            raise CommandError(f"invalid search attribute value type {quoted(kind)}")
        found[name] = spelled[kind.lower()]
    return found


def _values(items: list[str]) -> dict[str, Any]:
    try:
        return json_pairs(items)
    except CommandError as error:
        raise CommandError(f"invalid dynamic config values: {error}") from None


def _log(level: str, style: str) -> None:
    """Logs go to stderr, a line each: readable, or JSON."""
    import logging

    from tctl.logs import TEXT, JsonLines

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else logging.Formatter(TEXT))
    levels = {"debug": 10, "info": 20, "warn": 30, "error": 40, "never": 100}
    logging.basicConfig(level=levels[level], handlers=[handler])
