from prmkit.session.ledger import Ledger


def test_ledgers_add_up_field_by_field() -> None:
    total = Ledger(generations=2, prm_seconds=0.5)
    total.add(Ledger(generations=3, prm_seconds=0.25, replayed=1))
    assert total == Ledger(generations=5, prm_seconds=0.75, replayed=1)
    assert total.as_dict()["generations"] == 5
