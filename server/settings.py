"""What a server is told at start: one frozen object, checked with sentences before anything else runs.

Each setting has a key in the YAML file and an environment variable, both in `KEYS`; a flag (`overrides`) wins over the environment,
that over the file. Nothing else in the server reads the environment, but for secrets that the store's URL names (server/stores.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

ROLES = ("frontend", "history", "matching", "worker")
LOG_LEVELS = ("debug", "info", "warn", "error", "never")
LOG_FORMATS = ("text", "json")
SEARCH_ATTRIBUTE_TYPES = ("Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList")
SHARDS_SQLITE, SHARDS_OTHER, SHARDS_MAX = 4, 64, 16_384


class SettingsError(ValueError):
    """A setting is wrong; the message is one sentence that names it."""


LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Tls(NamedTuple):
    """Files of one port, all PEM: certificate chain, key, and whose client certificates are believed. `server_name` is what the certificates
    of the other processes are made out to, where that is not their address."""

    cert: str
    key: str
    authorities: tuple[str, ...] = ()
    require_client: bool = True
    server_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a server process is told. Raises SettingsError when made with a value that cannot be.

    `dynamic_config` holds official keys; a value is the value itself, or (as in the official file) a list of
    `{value, constraints}`; read it with `dynamic`. A port of None is not served, 0 is any free one.
    """

    store: str = "sqlite:///:memory:"
    setup: bool = False
    shards: int = SHARDS_SQLITE
    roles: tuple[str, ...] = ROLES
    host: str = "127.0.0.1"
    port: int = 7233
    http_host: str = ""
    http_port: int | None = None
    internal_host: str = ""
    internal_port: int | None = None
    metrics_host: str = ""
    metrics_port: int | None = None
    namespaces: tuple[str, ...] = ()
    search_attributes: Mapping[str, str] = field(default_factory=dict)
    dynamic_config: Mapping[str, object] = field(default_factory=dict)
    dynamic_config_path: str = ""  # where some of it is from
    frontend_cert: str = ""
    frontend_key: str = ""
    frontend_client_ca: tuple[str, ...] = ()
    frontend_require_client_auth: bool = True
    internal_cert: str = ""
    internal_key: str = ""
    internal_ca: tuple[str, ...] = ()
    internal_server_name: str = ""
    internal_plaintext: bool = False
    auth_jwks: tuple[str, ...] = ()  # files and URLs
    auth_issuer: str = ""
    auth_audience: str = ""
    auth_claim: str = "permissions"
    auth_pattern: str = ""
    auth_refresh: int = 60  # seconds
    auth_api_keys: str = ""
    auth_plugin: str = ""
    log_level: str = "info"
    log_format: str = "text"

    def __post_init__(self) -> None:
        named = "://" in self.store or self.store.startswith("${")
        _require(named, f"the store {self.store!r} is not a URL such as sqlite:///temporal.db")
        _require(1 <= self.shards <= SHARDS_MAX, f"shards must be from 1 to {SHARDS_MAX}, not {self.shards}")
        _require(bool(self.roles), "at least one role is needed")
        for role in self.roles:
            _among("role", role, ROLES)
        for name in ("port", "http_port", "internal_port", "metrics_port"):
            port = getattr(self, name)
            _require(port is None or 0 <= port <= 65_535, f"{name} must be from 0 to 65535, not {port}")
        _require(all(self.namespaces), "a namespace needs a name")
        for name, kind in self.search_attributes.items():
            _among(f"type of search attribute {name}", kind, SEARCH_ATTRIBUTE_TYPES)
        self._check_tls()
        self._check_access()
        _among("log level", self.log_level, LOG_LEVELS)
        _among("log format", self.log_format, LOG_FORMATS)

    @property
    def guarded(self) -> bool:
        """Whether callers have to show who they are."""
        return bool(self.auth_jwks or self.auth_api_keys or self.auth_plugin)

    @property
    def frontend_tls(self) -> Tls | None:
        """Of the port for clients; None: plain text."""
        if not self.frontend_cert:
            return None
        return Tls(self.frontend_cert, self.frontend_key, self.frontend_client_ca, self.frontend_require_client_auth)

    @property
    def internal_tls(self) -> Tls | None:
        """Of the port for other processes of the cluster, both ways; None: plain text."""
        if not self.internal_cert:
            return None
        return Tls(self.internal_cert, self.internal_key, self.internal_ca, True, self.internal_server_name)

    def _check_tls(self) -> None:
        for name in ("frontend", "internal"):
            cert, key = getattr(self, f"{name}_cert"), getattr(self, f"{name}_key")
            _require(bool(cert) == bool(key), f"tls.{name}.cert and tls.{name}.key belong together")
        _require(
            bool(self.frontend_cert) or not self.frontend_client_ca, "tls.frontend.client_ca needs tls.frontend.cert"
        )
        mutual = bool(self.internal_cert) == bool(self.internal_ca)
        _require(mutual, "tls.internal.ca says whose certificates are believed: it goes with tls.internal.cert")
        inside = self.internal_port is None or self.internal_host in LOOPBACK or bool(self.internal_cert)
        _require(
            inside or self.internal_plaintext,
            "the internal address is open to other machines: it needs tls.internal, or internal.plaintext where the network is safe",
        )

    def _check_access(self) -> None:
        asked = self.auth_issuer or self.auth_audience or self.auth_pattern
        _require(
            not asked or bool(self.auth_jwks), "tokens cannot be checked without auth.jwt.jwks, where their keys are"
        )
        _require(self.auth_refresh > 0, "auth.jwt.refresh must be at least 1 second")
        try:
            groups = set(re.compile(self.auth_pattern).groupindex)
        except re.error as error:
            raise SettingsError(f"auth.jwt.permissions_regex is wrong: {error}") from None
        fits = not self.auth_pattern or {"namespace", "role"} <= groups
        _require(fits, "auth.jwt.permissions_regex needs groups named namespace and role")
        open_inside = self.guarded and self.internal_port is not None and not self.internal_cert
        _require(
            not open_inside, "access control is of no use where the internal port is open to all: it needs internal TLS"
        )

    @classmethod
    def load(
        cls, path: Path | str | None, overrides: Mapping[str, object | None], environ: Mapping[str, str]
    ) -> Settings:
        """Reads the YAML file at `path` (None: no file), then the environment, then `overrides` (field name → value; None: not
        given). Maps are merged key by key, everything else is replaced. Raises SettingsError."""
        values: dict[str, Any] = {}
        for source in (_from_file(path), _from_environment(environ), overrides):
            for name, value in source.items():
                if value is not None:
                    values[name] = {**values.get(name, {}), **value} if isinstance(value, Mapping) else value
        sqlite = values.get("store", cls().store).startswith("sqlite:")
        values.setdefault("shards", SHARDS_SQLITE if sqlite else SHARDS_OTHER)
        return cls(**values)

    def dynamic(self, key: str, default: Any, **given: object) -> Any:
        """The dynamic configuration's value of the official `key` (any case), or `default`. `given` is what the caller acts for
        (namespace=…, taskQueueName=…); of the entries whose constraints all hold, the one with most constraints wins
        (the rule of common/dynamicconfig/collection.go)."""
        folded = key.lower()
        value: Any = next((value for name, value in self.dynamic_config.items() if name.lower() == folded), default)
        if not _constrained(value):
            return value
        held = {name.lower(): value for name, value in given.items()}
        fits = [entry for entry in value if _limits(entry).items() <= held.items()]
        return max(fits, key=lambda entry: len(_limits(entry)))["value"] if fits else default

    def described(self) -> dict[str, object]:
        """Every setting by name, ready for printing (`--log-config`)."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"store": without_password(self.store)}


def without_password(url: str) -> str:
    """A store's URL as it may be shown."""
    hidden = re.sub(r"(://[^/@:?]*):(?!\$\{)[^?]*@", r"\1@", url)
    return re.sub(r"([?&]\w*password=)(?!\$\{)[^&]*", r"\1***", hidden)


def dynamic_config_file(path: Path) -> dict[str, object]:
    """Reads an official dynamic configuration file: key → list of {value, constraints}. Raises SettingsError."""
    content = _yaml(path)
    for key, entries in content.items():
        _require(_constrained(entries), f"{key} in {path} must be a list of entries with a value")
    return content


def _from_file(path: Path | str | None) -> dict[str, object]:
    if path is None:
        return {}
    content, values = dict(_flat(_yaml(Path(path)))), dict[str, object]()
    for name, value in content.items():
        _require(name in KEYS, f"{name} in {path} is not a setting")
        if value is not None:
            values.update(KEYS[name].read(name, _beside(Path(path), name, value)))
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key in KEYS.values():
        if text := environ.get(key.variable):
            values.update(key.read(key.variable, text))
    return values


def _beside(path: Path, name: str, value: object) -> object:
    """A file named in a file is found beside it."""
    if name in LISTS and isinstance(value, str | list):
        sources = value.replace(",", " ").split() if isinstance(value, str) else value
        return [each if "://" in str(each) else str(path.parent / str(each)) for each in sources]
    return str(path.parent / value) if name in FILES and isinstance(value, str) else value


def _flat(content: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """`{frontend: {address: …}}` as `frontend.address`; what a known key holds stays whole."""
    pairs: list[tuple[str, object]] = []
    for name, value in content.items():
        path = f"{prefix}{name}"
        nested = isinstance(value, dict) and path not in KEYS
        pairs += _flat(value, f"{path}.") if nested and isinstance(value, dict) else [(path, value)]
    return pairs


def _yaml(path: Path) -> dict[str, Any]:
    import yaml  # costs 20 ms, and most starts have no file

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    _require(content is None or isinstance(content, dict), f"{path} must hold keys and values")
    return content or {}


def _constrained(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) and "value" in e for e in value)


def _limits(entry: Mapping[str, Any]) -> dict[str, object]:
    return {name.lower(): value for name, value in (entry.get("constraints") or {}).items()}


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise SettingsError(sentence)


def _among(what: str, value: str, accepted: tuple[str, ...]) -> None:
    _require(value in accepted, f"the {what} must be one of {', '.join(accepted)}, not {value!r}")


Read = Callable[[str, object], dict[str, object]]


def _text(target: str) -> Read:
    return lambda _name, value: {target: str(value)}


def _flag(target: str) -> Read:
    def read(name: str, value: object) -> dict[str, object]:
        word = str(value).lower()
        _among(name, word, ("true", "false", "1", "0"))
        return {target: word in ("true", "1")}

    return read


def _number(target: str) -> Read:
    return lambda name, value: {target: _integer(name, value)}


def _words(target: str) -> Read:
    def read(name: str, value: object) -> dict[str, object]:
        words = value.replace(",", " ").split() if isinstance(value, str) else value
        _require(isinstance(words, list), f"{name} must be a list")
        return {target: tuple(str(word) for word in words)} if isinstance(words, list) else {}

    return read


def _pairs(target: str) -> Read:
    def read(name: str, value: object) -> dict[str, object]:
        if isinstance(value, str):
            value = dict(pair.partition("=")[::2] for pair in value.replace(",", " ").split())
        _require(isinstance(value, dict), f"{name} must hold names and types")
        return {target: value}

    return read


def _address(host: str, port: str) -> Read:
    def read(name: str, value: object) -> dict[str, object]:
        left, colon, right = str(value).rpartition(":")
        _require(bool(colon) and bool(left), f"{name} must be HOST:PORT, not {value!r}")
        return {host: left.strip("[]"), port: _integer(name, right)}

    return read


def _dynamic(name: str, value: object) -> dict[str, object]:
    content = dynamic_config_file(Path(value)) if isinstance(value, str) else value
    _require(isinstance(content, dict), f"{name} must be a file or hold keys and values")
    return {"dynamic_config": content, **({"dynamic_config_path": value} if isinstance(value, str) else {})}


def _integer(name: str, value: object) -> int:
    _require(str(value).isdecimal(), f"{name} must be a whole number, not {value!r}")
    return int(str(value))


FILES = (
    "dynamic_config",
    "auth.api_keys",
    "tls.frontend.cert",
    "tls.frontend.key",
    "tls.internal.cert",
    "tls.internal.key",
)
LISTS = ("auth.jwt.jwks", "tls.frontend.client_ca", "tls.internal.ca")  # of files


class Key(NamedTuple):
    """Where a setting comes from beside its flag: its environment variable, and how its value becomes fields of Settings."""

    variable: str
    read: Read


KEYS: Mapping[str, Key] = {
    "store": Key("TEMPORAL_SERVER_STORE", _text("store")),
    "setup": Key("TEMPORAL_SERVER_SETUP", _flag("setup")),
    "shards": Key("TEMPORAL_SERVER_SHARDS", _number("shards")),
    "roles": Key("TEMPORAL_SERVER_ROLES", _words("roles")),
    "frontend.address": Key("TEMPORAL_SERVER_ADDRESS", _address("host", "port")),
    "frontend.http": Key("TEMPORAL_SERVER_HTTP_ADDRESS", _address("http_host", "http_port")),
    "internal.address": Key("TEMPORAL_SERVER_INTERNAL_ADDRESS", _address("internal_host", "internal_port")),
    "metrics.address": Key("TEMPORAL_SERVER_METRICS_ADDRESS", _address("metrics_host", "metrics_port")),
    "namespaces": Key("TEMPORAL_SERVER_NAMESPACES", _words("namespaces")),
    "search_attributes": Key("TEMPORAL_SERVER_SEARCH_ATTRIBUTES", _pairs("search_attributes")),
    "dynamic_config": Key("TEMPORAL_SERVER_DYNAMIC_CONFIG", _dynamic),
    "internal.plaintext": Key("TEMPORAL_SERVER_INTERNAL_PLAINTEXT", _flag("internal_plaintext")),
    "tls.frontend.cert": Key("TEMPORAL_SERVER_TLS_CERT", _text("frontend_cert")),
    "tls.frontend.key": Key("TEMPORAL_SERVER_TLS_KEY", _text("frontend_key")),
    "tls.frontend.client_ca": Key("TEMPORAL_SERVER_TLS_CLIENT_CA", _words("frontend_client_ca")),
    "tls.frontend.require_client_auth": Key(
        "TEMPORAL_SERVER_TLS_REQUIRE_CLIENT_AUTH", _flag("frontend_require_client_auth")
    ),
    "tls.internal.cert": Key("TEMPORAL_SERVER_INTERNAL_TLS_CERT", _text("internal_cert")),
    "tls.internal.key": Key("TEMPORAL_SERVER_INTERNAL_TLS_KEY", _text("internal_key")),
    "tls.internal.ca": Key("TEMPORAL_SERVER_INTERNAL_TLS_CA", _words("internal_ca")),
    "tls.internal.server_name": Key("TEMPORAL_SERVER_INTERNAL_TLS_SERVER_NAME", _text("internal_server_name")),
    "auth.jwt.jwks": Key("TEMPORAL_SERVER_AUTH_JWKS", _words("auth_jwks")),
    "auth.jwt.issuer": Key("TEMPORAL_SERVER_AUTH_ISSUER", _text("auth_issuer")),
    "auth.jwt.audience": Key("TEMPORAL_SERVER_AUTH_AUDIENCE", _text("auth_audience")),
    "auth.jwt.permissions_claim": Key("TEMPORAL_SERVER_AUTH_PERMISSIONS_CLAIM", _text("auth_claim")),
    "auth.jwt.permissions_regex": Key("TEMPORAL_SERVER_AUTH_PERMISSIONS_REGEX", _text("auth_pattern")),
    "auth.jwt.refresh": Key("TEMPORAL_SERVER_AUTH_REFRESH", _number("auth_refresh")),
    "auth.api_keys": Key("TEMPORAL_SERVER_AUTH_API_KEYS", _text("auth_api_keys")),
    "auth.plugin": Key("TEMPORAL_SERVER_AUTH_PLUGIN", _text("auth_plugin")),
    "log.level": Key("TEMPORAL_SERVER_LOG_LEVEL", _text("log_level")),
    "log.format": Key("TEMPORAL_SERVER_LOG_FORMAT", _text("log_format")),
}
