"""TLS of the server's ports: certificates from files, read again when these change. No version below 1.2 is spoken; gRPC has none older.

A certificate that cannot be read while the server runs is told in the log, and the one before stays in use.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import grpc

from server.settings import SettingsError, Tls

log = logging.getLogger(__name__)
Stamps = tuple[tuple[int, int], ...]


class Material(NamedTuple):
    """What the files hold: PEM. `authorities` are those whose certificates are believed, None for none that are asked for."""

    key: bytes
    chain: bytes
    authorities: bytes | None


class Certificates:
    """The files of one port. Raises SettingsError when they cannot be read."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._paths = [Path(name) for name in (tls.key, tls.cert, *tls.authorities)]
        self._stamps: Stamps = ()
        self.material = self._read()

    def changed(self) -> bool:
        """Reads the files again if they are others than before; whether what is to be used has changed."""
        before = self.material
        try:
            if self._look() != self._stamps:
                self.material = self._read()
        except SettingsError as error:
            log.warning("the certificates stay as they are: %s", error)
        return self.material != before

    def server(self) -> grpc.ServerCredentials:
        """For a port. Each handshake sees the files as they are then."""

        # None is "as before", which the stubs forget.
        def fetch() -> grpc.ServerCertificateConfiguration | None:
            return _configuration(self.material) if self.changed() else None

        required = bool(self._tls.authorities) and self._tls.require_client
        initial = _configuration(self.material)
        return grpc.dynamic_ssl_server_credentials(
            initial,
            fetch,  # type: ignore[arg-type]
            require_client_authentication=required,
        )

    def channel(self) -> grpc.ChannelCredentials:
        """For a connection to another port of the same kind: mutual."""
        key, chain, authorities = self.material
        return grpc.ssl_channel_credentials(authorities, key, chain)

    def options(self) -> list[tuple[str, str]]:
        """Channel arguments that go with `channel`."""
        name = self._tls.server_name
        return [("grpc.ssl_target_name_override", name)] if name else []

    def _look(self) -> Stamps:
        try:
            stats = [path.stat() for path in self._paths]
        except OSError as error:
            raise SettingsError(f"cannot read {error.filename}: {error.strerror}") from None
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)

    def _read(self) -> Material:
        self._stamps = self._look()
        try:
            key, chain, *authorities = (path.read_bytes() for path in self._paths)
        except OSError as error:
            raise SettingsError(f"cannot read {error.filename}: {error.strerror}") from None
        for path, data in zip(self._paths, (key, chain, *authorities), strict=True):
            if b"-----BEGIN " not in data:
                raise SettingsError(f"{path} is not PEM")
        return Material(key, chain, b"\n".join(authorities) or None)


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    key, chain, authorities = material
    return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=authorities)
