"""Ed25519 keys: who publishes signs with the private one, devices hold the public one."""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from kdtasks.core import JsonObject
from kdtasks.core.errors import IntegrityError, StoreError, UnknownSignerError
from kdtasks.core.files import disk_errors

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_HOW = "`kdtasks keys new` makes a pair"
FORMAT = 1
_SIGNATURE = "signature"


class PublicKey(NamedTuple):
    """What tells a genuine record."""

    identity: str  # the first 16 hex digits of the SHA-256 of the raw key
    key: Any


class SigningKey(NamedTuple):
    """A private key."""

    public: PublicKey
    key: Any


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
    serialization, ed25519 = _cryptography()
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return SigningKey(public_key_of(key.public_key()), key)
        problem = f"is {type(key).__name__}, not Ed25519"
    except TypeError:
        problem = "is encrypted with a password, give it without one"
    except Exception:  # cryptography raises many kinds for text that is no key
        problem = "is no private key in PEM"
        problem += ", got a public key" if "BEGIN PUBLIC KEY" in text else ""
    raise StoreError(f"the signing key {problem}; {_HOW}")


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
    serialization, ed25519 = _cryptography()
    keys = []
    for block in _BLOCK.finditer(text):
        if "PRIVATE" in block[1]:
            raise StoreError("a private key was given, devices get the public one, .pub.pem")
        key = None
        with contextlib.suppress(Exception):  # as above
            key = serialization.load_pem_public_key(block[0].encode())
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise StoreError(f"a public key is not Ed25519 in PEM; {_HOW}")
        keys.append(public_key_of(key))
    if not keys:
        raise StoreError(f"the public key is no PEM text; {_HOW}")
    return tuple(keys)


def write_new_keys(private_path: Path) -> tuple[Path, str]:
    """Make a pair of keys: `NAME.pem`, which only its owner can read, and `NAME.pub.pem`.

    Returns: the path of the public key, and its identity.

    Raises:
        StoreError: one of the files exists already.
    """
    serialization, ed25519 = _cryptography()
    public_path = private_path.with_suffix(".pub.pem")
    for path in (private_path, public_path):
        if path.exists():
            raise StoreError(
                f"{path} exists already; models signed with it need it, so give another path"
            )
    key = ed25519.Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    public_format = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(pem, public_format)
    with disk_errors("writing the keys", private_path.parent):
        for path, data, mode in ((private_path, private, 0o600), (public_path, public, 0o644)):
            path.touch(mode, exist_ok=False)
            path.write_bytes(data)
    return public_path, public_key_of(key.public_key()).identity


def _read(given: str, what: str) -> str:
    if "-----BEGIN" in given:
        return given.replace("\\n", "\n")  # as some secret stores hand it over
    try:
        return Path(given).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise StoreError(
            f"the {what} {given} cannot be read: {reason}; give a PEM file, or the text itself"
        ) from None


def public_key_of(key: Any) -> PublicKey:
    """Name an Ed25519 public key of cryptography's."""
    return PublicKey(hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16], key)


def _cryptography() -> tuple[Any, Any]:
    # only who signs or verifies needs it
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise StoreError("keys need cryptography; pip install 'kdtasks[store]'") from None
    return serialization, ed25519


def sign_record(kind: str, content: JsonObject, signing_key: SigningKey | None) -> bytes:
    """Write a record down, with a signature if there is a key.

    Args:
        kind: what it is, so that no record passes for one of another kind: `version`, `alias`.
        content: JSON without floating-point numbers, and datetimes.
    """
    record = {**content, "kind": kind, "format": FORMAT}
    if signing_key:
        value = signing_key.key.sign(_signed_bytes(record))
        record[_SIGNATURE] = {
            "algorithm": "ed25519",
            "key": signing_key.public.identity,
            "value": base64.b64encode(value).decode("ascii"),
        }
    return f"{_dump(record, indent=2, ensure_ascii=False)}\n".encode()


def verify_record(data: bytes, *, key: str, kind: str, trusted: Sequence[PublicKey]) -> JsonObject:
    """Read a record and verify its signature.

    Args:
        data: as the store gave it.
        key: where it was found, for errors.
        kind: what is expected.
        trusted: whose signatures count; if empty, none is needed.

    Raises:
        IntegrityError: it is no such record, or not signed by one of `trusted`.
        UnknownSignerError: it is signed by another key.
    """
    with damage_errors(key):
        record = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates)
        if not isinstance(record, dict):
            raise ValueError(f"it holds {type(record).__name__} instead of a mapping")
        signature = record.pop(_SIGNATURE, None)
        signed_bytes = _signed_bytes(record)
        if record.get("kind") != kind:
            raise ValueError(f"its kind is {record.get('kind')!r}, {kind!r} was expected")
    if record.get("format") != FORMAT:
        raise IntegrityError(
            f"{key} has format {record.get('format')!r}, this kdtasks reads {FORMAT}; install "
            "the version of kdtasks that published it"
        )
    if trusted:
        _verify(signature, signed_bytes, key, trusted)
    return record


@contextlib.contextmanager
def damage_errors(what: str) -> Iterator[None]:
    """Let whatever is raised for data of the wrong shape say that `what` is damaged.

    Raises:
        IntegrityError: instead.
    """
    try:
        yield
    except KeyError as error:
        raise IntegrityError(f"{what} is damaged: it lacks {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{what} is damaged: {error}") from None


def signer_of(data: bytes) -> str | None:
    """The identity of the key that a record says it is signed with; null where it is unsigned."""
    signature = json.loads(data).get(_SIGNATURE)
    return str(signature.get("key")) if isinstance(signature, dict) else None


def _verify(signature: Any, signed_bytes: bytes, key: str, trusted: Sequence[PublicKey]) -> None:
    from cryptography.exceptions import InvalidSignature

    names = ", ".join(public.identity for public in trusted)
    if signature is None:
        raise IntegrityError(
            f"{key} is not signed, and only what is signed with the key {names} is accepted here; "
            "publish or promote it with KDTASKS_SIGNING_KEY"
        )
    with damage_errors(f"the signature of {key}"):
        identity, value = str(signature["key"]), base64.b64decode(signature["value"], validate=True)
        is_known = signature["algorithm"] == "ed25519"
    public = next((key for key in trusted if key.identity == identity), None)
    if not is_known or public is None:
        raise UnknownSignerError(
            f"{key} is signed with the key {identity[:16]!r}, and only {names} is accepted here; "
            "add its public key to KDTASKS_PUBLIC_KEY if you trust it",
            identity,
        )
    try:
        public.key.verify(value, signed_bytes)
    except InvalidSignature:
        raise IntegrityError(
            f"the signature of {key} is wrong: it was changed after it was signed with {identity}"
        ) from None


def _signed_bytes(record: JsonObject) -> bytes:
    """One way to write a record down that does not depend on spaces or order."""
    return f"kdtasks {_dump(record, separators=(',', ':'))}".encode("ascii")


def _dump(record: JsonObject, **layout: Any) -> str:
    return json.dumps(record, sort_keys=True, allow_nan=False, default=datetime.isoformat, **layout)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands there twice")
    return content
