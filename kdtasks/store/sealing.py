"""Records as JSON, signed or not: manifests of versions, and aliases."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from kdtasks.errors import IntegrityError
from kdtasks.store.keys import PublicKey, SigningKey

FORMAT = 1
_SIGNATURE = "signature"


def seal(kind: str, content: dict[str, Any], signing_key: SigningKey | None) -> bytes:
    """Write a record down, with a signature if there is a key.

    Arguments:
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

    Arguments:
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
