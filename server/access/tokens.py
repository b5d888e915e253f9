"""JSON Web Tokens as credentials: checked against the issuer's keys, and mapped to claims by what they say of permissions.

Source: common/authorization/default_jwt_claim_mapper.go, whose rules hold; beyond them an issuer may be demanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

import jwt

from server.access.claims import Caller, Claims, NotAdmitted, granted
from server.access.jwks import KeySet
from server.core.limits import SECOND
from server.environment import Environment
from server.settings import Settings

BEARER = "bearer"


class Tokens:
    """Tokens of the issuer that the settings name."""

    def __init__(self, settings: Settings, environment: Environment, changed: Callable[[], None]) -> None:
        self._keys = KeySet(settings.auth_jwks, environment, changed)
        self._environment = environment
        self._issuer = settings.auth_issuer or None
        self._audience = settings.auth_audience or None
        self._claim = settings.auth_claim
        self._pattern = re.compile(settings.auth_pattern) if settings.auth_pattern else None
        self._interval = settings.auth_refresh * SECOND

    async def start(self) -> Coroutine[Any, Any, None]:
        """Reads the keys, and returns what keeps them up to date. Raises SettingsError."""
        await self._keys.start()
        return self._keys.run(self._interval)

    async def claims(self, caller: Caller) -> Claims | None:
        """None without a token. Raises NotAdmitted."""
        scheme, _, token = caller.authorization.partition(" ")
        if not caller.authorization:
            return None
        if scheme.lower() != BEARER:
            raise NotAdmitted("the authorization header has another scheme than Bearer")
        said = await self._said(token.strip())
        permissions = said.get(self._claim)
        now = self._environment.now()
        until = float(said["exp"]) if "exp" in said else (now + self._interval) / SECOND
        return granted(said["sub"], permissions if isinstance(permissions, list) else (), until, self._pattern)

    async def _said(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise NotAdmitted("no key of the issuer is known that fits the token")
            said: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(key.algorithms),
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["sub"], "verify_aud": self._audience is not None},
            )
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise NotAdmitted(f"the token does not hold: {type(error).__name__}") from None
        return said
