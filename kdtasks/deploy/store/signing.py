"""Ed25519 keys: who publishes signs with the private one, devices hold the public one."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core.errors import IntegrityError, StoreError

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_HOW = "`kdtasks keys new` makes a pair"
FORMAT = 1
_SIGNATURE = "signature"


class PublicKey(NamedTuple):
    """What tells a genuine record."""

    identity: str  # the first 16 hex digits of the SHA-256 of the raw key
    key: Any

    def is_signature(self, signature: bytes, data: bytes) -> bool:
        """Whether the owner of the private key has signed these bytes."""
        from cryptography.exceptions import InvalidSignature

        try:
            self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey(NamedTuple):
    """A private key."""

    public: PublicKey
    key: Any

    def sign(self, data: bytes) -> bytes:
        """Sign bytes."""
        signature: bytes = self.key.sign(data)
        return signature


def load_signing_key(given: str | None) -> SigningKey | None:
    """Load a private key.

    Args:
        given: the path of a PEM file, or the PEM text itself; null for none.

    Raises:
        StoreError: there is no such file, or it holds no private Ed25519 key.
    """
    if not given:
        return None
    text = _read(given, "signing key")
    serialization, private_class, _ = _cryptography()
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise StoreError(
            "the signing key is encrypted with a password; give it without one, protected by its "
            "file's mode or by a secret store"
        ) from None
    except Exception:  # cryptography raises many kinds for text that is no key
        got = ", got a public key" if "BEGIN PUBLIC KEY" in text else ""
        raise StoreError(f"the signing key is no private key in PEM{got}; {_HOW}") from None
    if not isinstance(key, private_class):
        raise StoreError(f"the signing key is {type(key).__name__}, not Ed25519; {_HOW}")
    return SigningKey(_public(key.public_key()), key)


def load_public_keys(given: str | None) -> tuple[PublicKey, ...]:
    """Load the public keys of all who may sign, one PEM block after another.

    Args:
        given: the path of a PEM file, or the PEM text itself; null for none.

    Raises:
        StoreError: there is no such file, or it holds something else.
    """
    if not given:
        return ()
    text = _read(given, "public key")
    serialization, _, public_class = _cryptography()
    keys = []
    for block in _BLOCK.finditer(text):
        if "PRIVATE" in block[1]:
            raise StoreError(
                "a private key was given where the public one belongs; keep it where models are "
                "published, and give devices the .pub.pem file"
            )
        try:
            key = serialization.load_pem_public_key(block[0].encode())
        except Exception:  # as above
            key = None
        if not isinstance(key, public_class):
            raise StoreError(f"a public key is not Ed25519 in PEM; {_HOW}")
        keys.append(_public(key))
    if not keys:
        raise StoreError(f"the public key is no PEM text; {_HOW}")
    return tuple(keys)


def write_new_keys(private_path: Path) -> tuple[Path, str]:
    """Make a pair of keys: `NAME.pem`, which only its owner can read, and `NAME.pub.pem`.

    Returns: the path of the public key, and its identity.

    Raises:
        StoreError: one of the files is there already.
    """
    serialization, private_class, _ = _cryptography()
    public_path = private_path.with_suffix(".pub.pem")
    for path in (private_path, public_path):
        if path.exists():
            raise StoreError(
                f"{path} is there already; models signed with it need it, so give another path"
            )
    key = private_class.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(private_path, private, 0o600)
    _write(public_path, public, 0o644)
    return public_path, _public(key.public_key()).identity


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; give another path") from None


def _read(given: str, what: str) -> str:
    if "-----BEGIN" in given:
        return given.replace("\\n", "\n")  # as some secret stores hand it over
    try:
        return Path(given).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise StoreError(
            f"the {what} {given} cannot be read: {reason}; give the path of a PEM file, or the "
            "PEM text itself"
        ) from None


def _public(key: Any) -> PublicKey:
    return PublicKey(hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16], key)


def _cryptography() -> tuple[Any, Any, Any]:
    # only who signs or verifies needs it
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PrivateKey,
            Ed25519PublicKey,
        )
    except ModuleNotFoundError:
        raise StoreError(
            "keys need the package cryptography; pip install 'kdtasks[store]'"
        ) from None
    return serialization, Ed25519PrivateKey, Ed25519PublicKey


def seal(kind: str, content: dict[str, Any], signing_key: SigningKey | None) -> bytes:
    """Write a record down, with a signature if there is a key.

    Args:
        kind: what it is, so that no record passes for one of another kind: `version` or `alias`.
        content: JSON without floating-point numbers.
    """
    record = {**content, "kind": kind, "format": FORMAT}
    if signing_key:
        value = signing_key.sign(_signed_bytes(record))
        record[_SIGNATURE] = {
            "algorithm": "ed25519",
            "key": signing_key.public.identity,
            "value": base64.b64encode(value).decode("ascii"),
        }
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def unseal(data: bytes, *, key: str, kind: str, trusted: Sequence[PublicKey]) -> dict[str, Any]:
    """Read a record and verify its signature.

    Args:
        data: as the store gave it.
        key: where it was found, for errors.
        kind: what is expected.
        trusted: whose signatures count; if empty, none is needed.

    Raises:
        IntegrityError: it is no such record, or not signed by one of `trusted`.
    """
    try:
        record = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
        )
        if not isinstance(record, dict):
            raise ValueError(f"it holds {type(record).__name__} instead of a mapping")
        unsigned = {name: record[name] for name in record if name != _SIGNATURE}
        signed_bytes = _signed_bytes(unsigned)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{key} is damaged: {error}") from None
    if unsigned.get("kind") != kind:
        raise IntegrityError(
            f"{key} is damaged: its kind is {unsigned.get('kind')!r}, {kind!r} was expected"
        )
    if unsigned.get("format") != FORMAT:
        raise IntegrityError(
            f"{key} has format {unsigned.get('format')!r}, this kdtasks reads {FORMAT}; install "
            "the version of kdtasks that published it"
        )
    if trusted:
        _verify(record.get(_SIGNATURE), signed_bytes, key, trusted)
    return unsigned


def signer_of(data: bytes) -> str | None:
    """The identity of the key that a record says it is signed with; null where it is unsigned."""
    signature = json.loads(data).get(_SIGNATURE)
    return str(signature.get("key")) if isinstance(signature, dict) else None


def _verify(signature: Any, signed_bytes: bytes, key: str, trusted: Sequence[PublicKey]) -> None:
    names = ", ".join(public.identity for public in trusted)
    if signature is None:
        raise IntegrityError(
            f"{key} is not signed, and only what is signed with the key {names} is accepted here; "
            "publish or promote it with KDTASKS_SIGNING_KEY"
        )
    try:
        identity, value = str(signature["key"]), base64.b64decode(signature["value"], validate=True)
        is_known = signature["algorithm"] == "ed25519"
    except (TypeError, KeyError, ValueError):  # base64 raises ValueError for what is no ASCII
        raise IntegrityError(f"the signature of {key} is damaged") from None
    public = next((one for one in trusted if one.identity == identity), None)
    if not is_known or public is None:
        raise IntegrityError(
            f"{key} is signed with the key {identity[:16]!r}, and only {names} is accepted here; "
            "add its public key to KDTASKS_PUBLIC_KEY if you trust it"
        )
    if not public.is_signature(value, signed_bytes):
        raise IntegrityError(
            f"the signature of {key} is wrong: it was changed after it was signed with {identity}"
        )


def _signed_bytes(record: dict[str, Any]) -> bytes:
    """One way to write a record down that does not depend on spaces or order."""
    text = json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return f"kdtasks {text}".encode("ascii")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands there twice")
    return content
