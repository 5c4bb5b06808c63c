from prmkit.run.seeds import derived_seed, lot, seed_of


def test_the_seed_of_a_text_is_half_of_the_first_64_bits_of_its_sha256() -> None:
    # printf '7\x1fp\x1fa\x1fb' | sha256sum
    assert seed_of("7\x1fp\x1fa\x1fb") == 0x4D86B401B19FB2CE >> 1


def test_half_a_surrogate_pair_has_a_seed_too() -> None:
    # printf 'a\xed\xa0\x80' | sha256sum
    assert seed_of("a\ud800") == 0x25819B9B43D49909 >> 1


def test_a_derived_seed_is_that_of_the_seed_and_the_part() -> None:
    # printf '7:key' | sha256sum, printf '0:3' | sha256sum
    assert derived_seed(7, "key") == 0x726C1FB971F1490B >> 1
    assert derived_seed(0, 3) == derived_seed(0, "3") == 0x76D3C2EEFF0F7E93 >> 1


def test_a_lot_is_the_blake2b_of_purpose_and_key() -> None:
    # printf '3:sample:5' | b2sum -l 64
    assert lot(5, "3:sample") == 0x602314B369F3B012
