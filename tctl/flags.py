"""The options that commands share, each once, with the official names and environment variables.

A set of options is a dataclass; a command takes it as one argument (`tctl.command` spreads its fields over the command line), so
that a flag has the same name, default and help wherever it appears. Nothing here imports gRPC or protobuf.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from tctl.command import CommandError, options, quoted

if TYPE_CHECKING:
    from tctl.client import Client
    from tctl.render import Printer


UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h|d)")


def duration(text: str) -> timedelta:
    """`1h30m`, `1.5s`, `2d` or `0`, as Go writes durations plus days. Raises a sentence about the flag for anything else."""
    digits = text.removeprefix("-")
    if digits != "0" and not (digits and PART.sub("", digits) == ""):
        raise typer.BadParameter(f"invalid duration {text!r}")
    seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in PART.findall(digits))
    try:
        return timedelta(seconds=-seconds if text.startswith("-") else seconds)
    except OverflowError:
        raise typer.BadParameter(f"invalid duration {text!r}") from None


def pairs(items: Iterable[str]) -> dict[str, str]:
    """KEY=VALUE items as a dict. Raises CommandError for an item without '='."""
    found: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise CommandError(f"missing expected '=' in {quoted(item)}")
        found[key] = value
    return found


def json_pairs(items: Iterable[str]) -> dict[str, Any]:
    """KEY=JSON items as a dict of decoded values. Raises CommandError."""
    found = {}
    for key, value in pairs(items).items():
        try:
            found[key] = json.loads(value)
        except ValueError as error:
            raise CommandError(f"invalid JSON value for key {quoted(key)}: {error}") from None
    return found


def one_of(*accepted: str) -> Callable[[str], str]:
    """A parser for one item of a list: an accepted word in any case. Raises a sentence about the flag."""

    def parse(text: str) -> str:
        found = [word for word in accepted if word.lower() == text.lower()]
        if not found:
            raise typer.BadParameter(f"invalid value: {text}, allowed values are: {', '.join(accepted)}")
        return found[0]

    return parse


def option(*names: str, **attrs: Any) -> Any:
    """An option for `Annotated`; `span=True` makes it a duration."""
    if attrs.pop("span", False):
        attrs |= {"parser": duration, "metavar": "DURATION"}
    return typer.Option(*names, **{"show_default": False, **attrs})


_common = functools.partial(option, rich_help_panel="Global options")
_connect = functools.partial(option, rich_help_panel="Connection options")
LogLevel = Literal["debug", "info", "warn", "error", "never"]


@dataclasses.dataclass(slots=True, kw_only=True)
class Common:
    """What every command takes."""

    output: Annotated[
        Literal["text", "json", "jsonl", "none"], _common("--output", "-o", help="Format of the data printed.")
    ] = "text"
    time_format: Annotated[
        Literal["relative", "iso", "raw"], _common("--time-format", help="How times are written in text output.")
    ] = "relative"
    color: Annotated[Literal["always", "never", "auto"], _common("--color", help="Whether to colour text.")] = "auto"
    no_json_shorthand_payloads: Annotated[
        bool, _common("--no-json-shorthand-payloads", help="Print payloads raw, even when they hold JSON.")
    ] = False
    log_level: Annotated[
        LogLevel | None, _common("--log-level", help="Least level that is logged; 'warn' for start-dev, else 'never'.")
    ] = None
    log_format: Annotated[Literal["text", "json"] | None, _common("--log-format", help="Format of the log.")] = None
    command_timeout: Annotated[
        timedelta | None,
        _common("--command-timeout", span=True, help="Longest time the command may take."),
    ] = None
    client_connect_timeout: Annotated[
        timedelta | None,
        _common("--client-connect-timeout", span=True, help="Longest wait for the server."),
    ] = None
    config_file: Annotated[
        str | None, _common("--config-file", envvar="TEMPORAL_CONFIG_FILE", help="TOML file of connection profiles.")
    ] = None
    profile: Annotated[
        str | None, _common("--profile", envvar="TEMPORAL_PROFILE", help="Profile of the TOML file to use.")
    ] = None
    disable_config_file: Annotated[bool, _common("--disable-config-file", help="Read no TOML file.")] = False
    disable_config_env: Annotated[
        bool, _common("--disable-config-env", help="Read no connection settings from the environment.")
    ] = False


@dataclasses.dataclass(slots=True, kw_only=True)
class Connection:
    """How the server is reached. None means: not given, so the profile of the TOML file decides, then the default."""

    address: Annotated[
        str | None,
        _connect("--address", envvar="TEMPORAL_ADDRESS", help="Host and port of the server (localhost:7233)."),
    ] = None
    namespace: Annotated[
        str | None, _connect("--namespace", "-n", envvar="TEMPORAL_NAMESPACE", help="Namespace (default).")
    ] = None
    api_key: Annotated[
        str | None, _connect("--api-key", envvar="TEMPORAL_API_KEY", help="API key sent with each request.")
    ] = None
    grpc_meta: Annotated[
        list[str], _connect("--grpc-meta", metavar="KEY=VALUE", help="Header sent with each request.")
    ] = dataclasses.field(default_factory=list)
    codec_endpoint: Annotated[
        str | None, _connect("--codec-endpoint", envvar="TEMPORAL_CODEC_ENDPOINT", help="URL of a remote codec.")
    ] = None
    codec_auth: Annotated[
        str | None, _connect("--codec-auth", envvar="TEMPORAL_CODEC_AUTH", help="Authorization header for the codec.")
    ] = None
    codec_header: Annotated[
        list[str], _connect("--codec-header", metavar="KEY=VALUE", help="Header for the codec; may be repeated.")
    ] = dataclasses.field(default_factory=list)
    identity: Annotated[str | None, _connect("--identity", help="Who asks, as events will show it.")] = None
    client_authority: Annotated[str | None, _connect("--client-authority", help="The :authority header.")] = None
    tls: Annotated[
        bool | None,
        _connect("--tls/--no-tls", envvar="TEMPORAL_TLS", help="Use TLS; implied by an API key or a TLS option."),
    ] = None
    tls_cert_path: Annotated[
        str | None,
        _connect("--tls-cert-path", envvar=["TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CERT"], help="Certificate."),
    ] = None
    tls_cert_data: Annotated[
        str | None,
        _connect(
            "--tls-cert-data",
            envvar=["TEMPORAL_TLS_CLIENT_CERT_DATA", "TEMPORAL_TLS_CERT_DATA"],
            help="Certificate, inline.",
        ),
    ] = None
    tls_key_path: Annotated[
        str | None,
        _connect("--tls-key-path", envvar=["TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_KEY"], help="Private key."),
    ] = None
    tls_key_data: Annotated[
        str | None,
        _connect(
            "--tls-key-data", envvar=["TEMPORAL_TLS_CLIENT_KEY_DATA", "TEMPORAL_TLS_KEY_DATA"], help="Key, inline."
        ),
    ] = None
    tls_ca_path: Annotated[
        str | None,
        _connect("--tls-ca-path", envvar=["TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_CA"], help="Trusted CA."),
    ] = None
    tls_ca_data: Annotated[
        str | None,
        _connect(
            "--tls-ca-data",
            envvar=["TEMPORAL_TLS_SERVER_CA_CERT_DATA", "TEMPORAL_TLS_CA_DATA"],
            help="Trusted CA, inline.",
        ),
    ] = None
    tls_server_name: Annotated[
        str | None, _connect("--tls-server-name", envvar="TEMPORAL_TLS_SERVER_NAME", help="Name the server must have.")
    ] = None
    tls_disable_host_verification: Annotated[
        bool,
        _connect(
            "--tls-disable-host-verification",
            envvar="TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
            help="Refused: gRPC for Python always verifies; use --tls-server-name or --tls-ca-path.",
        ),
    ] = False


@dataclasses.dataclass(kw_only=True)
class Local:
    """A command that asks no server: its options and its output."""

    common: Common

    @functools.cached_property
    def printer(self) -> Printer:
        """Where the command's data goes."""
        from tctl.render import Printer

        return Printer(
            output=self.common.output,
            time_format=self.common.time_format,
            color=self.common.color,
            shorthand=not self.common.no_json_shorthand_payloads,
        )

    def confirm(self, question: str, expected: Iterable[str], given: bool) -> bool:
        """Whether the user answers one of `expected`, or has (`given`) already. Raises CommandError when JSON is wanted."""
        expected = list(expected)
        if given:
            self.printer.line(f"{question} {expected[0]}")
            return True
        if self.printer.json:
            raise CommandError("must bypass prompts when using JSON output")
        self.printer.write(f"{question} ")
        return sys.stdin.readline().strip() in expected


@dataclasses.dataclass(kw_only=True)
class Call(Local):
    """A command that asks a server: its options, its output and its connection."""

    connection: Connection

    @functools.cached_property
    def client(self) -> Client:
        """The connection, made when it is first used. Raises CommandError when the options contradict each other."""
        from tctl.client import Client

        return Client.connect(self.connection, self.common)


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """Names one workflow execution."""

    workflow_id: Annotated[str, option("--workflow-id", "-w", help="Workflow ID.")]
    run_id: Annotated[str, option("--run-id", "-r", help="Run ID; the current run when not given.")] = ""


Headers = Annotated[list[str], option("--headers", metavar="KEY=JSON", help="Header given to the workflow.")]
NoHeaders = Annotated[list[str], option("--headers", hidden=True, help="Accepted; the request carries no headers.")]
Query = Annotated[str, option("--query", "-q", help="List filter.")]


@dataclasses.dataclass(slots=True, kw_only=True)
class Input:
    """Arguments for a workflow, signal or query."""

    input: Annotated[list[str], option("--input", "-i", metavar="JSON", help="One argument; may be repeated.")] = (
        dataclasses.field(default_factory=list)
    )
    input_file: Annotated[list[str], option("--input-file", metavar="PATH", help="A file with one argument.")] = (
        dataclasses.field(default_factory=list)
    )
    input_meta: Annotated[
        list[str], option("--input-meta", metavar="KEY=VALUE", help="Metadata; encoding=json/plain when not given.")
    ] = dataclasses.field(default_factory=list)
    input_base64: Annotated[bool, option("--input-base64", help="Arguments are written in base64.")] = False


def _shared() -> Iterator[tuple[str, bool]]:
    for each in {**options(Common), **options(Connection)}.values():
        kind, info = get_args(each.annotation)
        for name in (info.default, *info.param_decls):
            yield from ((part, kind not in (bool, bool | None)) for part in str(name).split("/"))


SHARED = dict(_shared())
"""The flags above as they are typed, and whether a value follows."""
