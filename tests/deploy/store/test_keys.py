import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from kdtasks.core.errors import StoreError
from kdtasks.deploy.store.signing import load_public_keys, load_signing_key, write_new_keys


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    private = tmp_path / "key.pem"
    public, _ = write_new_keys(private)
    return private, public


def test_a_new_pair_fits_together(pair: tuple[Path, Path]):
    private, public = pair
    assert public.name == "key.pub.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = load_signing_key(str(private))
    assert key is not None
    (trusted,) = load_public_keys(str(public))
    assert trusted.identity == key.public.identity
    trusted.key.verify(key.key.sign(b"data"), b"data")
    with pytest.raises(InvalidSignature):
        trusted.key.verify(key.key.sign(b"data"), b"date")


def test_keys_are_taken_as_text_too(pair: tuple[Path, Path]):
    private, public = (path.read_text() for path in pair)
    key = load_signing_key(private)
    escaped = load_public_keys(public.replace("\n", "\\n"))
    assert key is not None
    assert escaped[0].identity == key.public.identity


def test_several_public_keys_in_one_file(pair: tuple[Path, Path], tmp_path: Path):
    other, _ = write_new_keys(tmp_path / "other.pem")
    both = load_public_keys(pair[1].read_text() + "\n" + other.read_text())
    assert len({key.identity for key in both}) == 2


def test_no_key_is_no_error():
    assert load_signing_key(None) is None
    assert load_signing_key("") is None
    assert load_public_keys(None) == ()


def test_keys_are_never_written_over(pair: tuple[Path, Path]):
    before = pair[0].read_bytes()
    with pytest.raises(StoreError, match="exists already; models signed with it need it"):
        write_new_keys(pair[0])
    assert pair[0].read_bytes() == before


def test_the_folder_of_new_keys_has_to_be_there(tmp_path: Path):
    with pytest.raises(
        StoreError, match=r"writing the keys in .* failed: .*key.pem does not exist"
    ):
        write_new_keys(tmp_path / "none" / "key.pem")


RSA = "rsa"


def encrypted_or_rsa(kind: str) -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == RSA:
        key = rsa.generate_private_key(65537, 2048)
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    else:
        key = ed25519.Ed25519PrivateKey.generate()
        protection = serialization.BestAvailableEncryption(b"password")
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def test_keys_of_other_kinds_are_refused():
    private, public = encrypted_or_rsa(RSA)
    with pytest.raises(StoreError, match="not Ed25519; `kdtasks keys new` makes a pair"):
        load_signing_key(private)
    with pytest.raises(StoreError, match="not Ed25519"):
        load_public_keys(public)
    with pytest.raises(StoreError, match="encrypted with a password"):
        load_signing_key(encrypted_or_rsa("encrypted")[0])


def test_what_is_no_key(tmp_path: Path, pair: tuple[Path, Path]):
    path = tmp_path / "text"
    path.write_bytes(b"hello")
    with pytest.raises(StoreError, match="is no private key in PEM"):
        load_signing_key(str(path))
    with pytest.raises(StoreError, match="is no private key in PEM, got a public key"):
        load_signing_key(str(pair[1]))
    with pytest.raises(StoreError, match="is no PEM text"):
        load_public_keys(str(path))
    with pytest.raises(StoreError, match=r"the signing key .*none.* cannot be read: No such file"):
        load_signing_key(str(tmp_path / "none"))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="it is no text"):
        load_public_keys(str(path))


def test_a_private_key_does_not_belong_on_a_device(pair: tuple[Path, Path]):
    with pytest.raises(StoreError, match="a private key was given, devices get the public one"):
        load_public_keys(str(pair[0]))
