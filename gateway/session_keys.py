"""Reads GATEWAY_SESSION_KEY, in either of its forms, as the PEM blocks that tenants/sessions.py signs with."""

import json
import re
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.settings import SettingsError

_PEM: Final = re.compile(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)
_MOST_KEYS: Final = 8


def session_keys(text: str) -> list[str]:
    """The Ed25519 private keys in PEM form, in the order given. Raises SettingsError, which quotes no key."""
    try:
        keys = _from_json(text) if text.lstrip().startswith("{") else _from_pem(text)
        if not 1 <= len(keys) <= _MOST_KEYS:
            raise ValueError
        for key in keys:
            if key.curve_name != "Ed25519" or not key.is_private:
                raise ValueError
        return [key.as_pem(private=True).decode("ascii") for key in keys]
    except (ValueError, TypeError, KeyError, JoseError):
        raise SettingsError(
            f"GATEWAY_SESSION_KEY: must be one to {_MOST_KEYS} Ed25519 private keys, as PEM or as JWK "
            "(`openssl genpkey -algorithm ed25519` makes one)"
        ) from None


def new_session_key() -> str:
    """A fresh private key, in PEM form."""
    return OKPKey.generate_key("Ed25519").as_pem(private=True).decode("ascii")


def _from_json(text: str) -> list[OKPKey]:
    found = json.loads(text)
    return [OKPKey.import_key(each) for each in found.get("keys", [found])]


def _from_pem(text: str) -> list[OKPKey]:
    # env files and shells often hold a PEM on one line, with \n spelled out
    return [OKPKey.import_key(block) for block in _PEM.findall(text.replace("\\n", "\n"))]
