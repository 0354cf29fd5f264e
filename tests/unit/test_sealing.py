"""A sealed secret opens with its own key, for its own owner, unchanged, or not at all."""

import pytest
from cryptography.exceptions import InvalidTag

from paynexus import ids
from paynexus.sealing import Vault

KEY = bytes(range(32))


def test_what_was_sealed_opens() -> None:
    """And the secret can't be seen in what is stored, nor told by comparing."""
    owner, vault = ids.new_id(), Vault(KEY)
    sealed = vault.seal("whsec_abc", owner=owner)

    assert vault.open(sealed, owner=owner) == "whsec_abc"
    assert b"whsec" not in sealed
    assert sealed != vault.seal("whsec_abc", owner=owner)


def test_nothing_else_opens_it() -> None:
    """Not another owner, not another key, not after a flipped bit."""
    owner, vault = ids.new_id(), Vault(KEY)
    sealed = vault.seal("whsec_abc", owner=owner)

    with pytest.raises(InvalidTag):
        vault.open(sealed, owner=ids.new_id())
    with pytest.raises(InvalidTag):
        Vault(bytes(32)).open(sealed, owner=owner)
    for place in range(len(sealed)):
        forged = bytearray(sealed)
        forged[place] ^= 1
        with pytest.raises(InvalidTag):
            vault.open(bytes(forged), owner=owner)


def test_key_has_its_length() -> None:
    """A short key is refused when the vault is built."""
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")
