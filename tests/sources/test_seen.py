import sys

from hypothesis import given
from hypothesis import strategies as st

from prmkit.sources.seen import Seen, digest

# Few different ones, and some that ask for the same place of the table.
DIGESTS = st.sampled_from([0, 1, 2, 1 << 10, 1 << 20, (1 << 20) + 1, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)


@given(st.lists(st.tuples(DIGESTS, st.integers(0, (1 << 64) - 1)), max_size=50))
def test_it_remembers_as_a_dictionary_does(come: list[tuple[int, int]]) -> None:
    seen, plain = Seen(), dict[int, int]()
    for key, number in come:
        key = key or 1  # a digest of zero counts as one of one
        assert seen.get(key) == plain.get(key)
        assert seen.before(key, number) == plain.get(key)
        plain.setdefault(key, number)
        assert seen.get(key) == plain[key]
    assert len(seen) == len(plain)


def test_it_grows_and_loses_nothing() -> None:
    seen = Seen()
    keys = [digest(str(number)) for number in range(20_000)]
    for number, key in enumerate(keys):
        assert seen.before(key, number) is None
    assert [seen.get(key) for key in keys] == list(range(20_000))
    assert len(seen) == 20_000


def test_a_digest_takes_at_most_48_bytes_once_there_are_many() -> None:
    seen = Seen()
    for number in range(20_000):
        seen.before(digest(str(number)), number)
    assert sum(sys.getsizeof(part) for part in (seen._digests, seen._numbers)) <= 48 * 20_000


def test_zero_is_a_digest_too() -> None:
    seen = Seen()
    assert (seen.get(0), seen.before(0, 5), seen.get(0), len(seen)) == (None, None, 5, 1)


def test_texts_have_digests_of_their_own_wherever_one_ends() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("ab"), digest("b", "a"), digest("a"), digest()}) == 5
    assert 0 <= digest("\ud800") < 1 << 64  # half of a pair, which no file can hold
