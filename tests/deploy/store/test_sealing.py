import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtasks.core.errors import IntegrityError
from kdtasks.deploy.store.signing import SigningKey, sign_record, signer_of, verify_record

KEY = "models/a/versions/1.json"
CONTENT = {"name": "a", "numbers": [1, 2], "text": "naïve \u2028"}


def changed(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    record = json.loads(data)
    change(record)
    return json.dumps(record).encode()


def test_a_record_is_read_back(signing_keys: tuple[SigningKey, SigningKey]):
    for key in (None, signing_keys[0]):
        data = sign_record("version", CONTENT, key)
        trusted = (key.public,) if key else ()
        found = verify_record(data, key=KEY, kind="version", trusted=trusted)
        assert found == {**CONTENT, "kind": "version", "format": 1}
        assert signer_of(data) == (key.public.identity if key else None)


def test_a_client_without_a_key_accepts_signed_records(
    signing_keys: tuple[SigningKey, SigningKey],
):
    data = sign_record("version", CONTENT, signing_keys[0])
    assert verify_record(data, key=KEY, kind="version", trusted=())["name"] == "a"


def test_layout_does_not_matter_to_a_signature(signing_keys: tuple[SigningKey, SigningKey]):
    data = sign_record("version", CONTENT, signing_keys[0])
    shuffled = json.dumps(dict(reversed(json.loads(data).items())), indent=7).encode()
    verify_record(shuffled, key=KEY, kind="version", trusted=(signing_keys[0].public,))


def test_one_of_several_keys_suffices(signing_keys: tuple[SigningKey, SigningKey]):
    data = sign_record("version", CONTENT, signing_keys[1])
    verify_record(data, key=KEY, kind="version", trusted=[one.public for one in signing_keys])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(name="b"), "the signature of models/a/versions/1.json is wrong"),
        (lambda r: r.update(more=1), "is wrong: it was changed after it was signed"),
        (lambda r: r["numbers"].append(3), "is wrong"),
        (lambda r: r.pop("signature"), "is not signed, and only what is signed with the key"),
        (lambda r: r.update(signature=None), "is not signed"),
        (lambda r: r.update(signature="x"), "the signature of models/a/versions/1.json is damaged"),
        (lambda r: r["signature"].pop("value"), "is damaged"),
        (lambda r: r["signature"].update(value="not base64!"), "is damaged"),
        (lambda r: r["signature"].update(value="QUJD"), "is wrong"),
        (lambda r: r["signature"].update(key="0" * 16), "is signed with the key '0000"),
        (lambda r: r["signature"].update(algorithm="none"), "is signed with the key"),
    ],
)
def test_tampering_is_refused_by_name(
    signing_keys: tuple[SigningKey, SigningKey],
    change: Callable[[dict[str, Any]], Any],
    message: str,
):
    data = changed(sign_record("version", CONTENT, signing_keys[0]), change)
    with pytest.raises(IntegrityError, match=message):
        verify_record(data, key=KEY, kind="version", trusted=(signing_keys[0].public,))


def test_another_key_is_refused(signing_keys: tuple[SigningKey, SigningKey]):
    data = sign_record("version", CONTENT, signing_keys[1])
    with pytest.raises(IntegrityError, match="add its public key to KDTASKS_PUBLIC_KEY"):
        verify_record(data, key=KEY, kind="version", trusted=(signing_keys[0].public,))


def test_a_forger_cannot_name_the_key_of_another(signing_keys: tuple[SigningKey, SigningKey]):
    data = changed(
        sign_record("version", CONTENT, signing_keys[1]),
        lambda r: r["signature"].update(key=signing_keys[0].public.identity),
    )
    with pytest.raises(IntegrityError, match="is wrong"):
        verify_record(data, key=KEY, kind="version", trusted=(signing_keys[0].public,))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is damaged: Expecting value"),
        (b"{", "is damaged: Expecting property name"),
        (b"\xff", "is damaged: 'utf-8' codec"),
        (b"[5]", "holds list instead of a mapping"),
        (b"null", "holds NoneType instead of a mapping"),
        (b'{"kind": "version", "kind": "alias"}', "stands there twice"),
        (b'{"kind": NaN}', "Out of range float values are not JSON"),
        (b'{"kind": "alias", "format": 1}', "kind is 'alias', 'version' was expected"),
        (b'{"kind": "version", "format": 2}', "has format 2, this kdtasks reads 1; install"),
        (b"[" * 100_000, "is damaged: maximum recursion"),
        (b'{"kind": "\\ud800", "format": 1}', "was expected"),
    ],
)
def test_what_is_no_record(data: bytes, message: str):
    with pytest.raises(IntegrityError, match=message):
        verify_record(data, key=KEY, kind="version", trusted=())


def test_a_version_does_not_pass_for_an_alias(signing_keys: tuple[SigningKey, SigningKey]):
    data = sign_record("version", CONTENT, signing_keys[0])
    with pytest.raises(IntegrityError, match="'alias' was expected"):
        verify_record(data, key=KEY, kind="alias", trusted=(signing_keys[0].public,))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.binary(min_size=1, max_size=3), st.data())
def test_no_changed_byte_goes_unnoticed_and_nothing_else_is_raised(
    content: dict[str, Any], noise: bytes, data: st.DataObject
):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from kdtasks.deploy.store.signing import PublicKey

    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    key = SigningKey(PublicKey("test", private.public_key()), private)
    content.pop("signature", None)
    sealed = sign_record("version", content, key)
    original = verify_record(sealed, key=KEY, kind="version", trusted=(key.public,))
    start = data.draw(st.integers(0, len(sealed) - 1))
    forged = sealed[:start] + noise + sealed[start + len(noise) :]
    try:
        found = verify_record(forged, key=KEY, kind="version", trusted=(key.public,))
    except IntegrityError:
        return
    assert found == original
