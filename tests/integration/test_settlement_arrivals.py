"""Gateways' money on a bank's statement: what they told of is theirs, the rest is a stranger's."""

from paynexus.ledger.accounts import AccountType
from tests.settlement_world import DAY, Booked, SettlementWorld, statement


def test_a_credit_that_a_gateway_told_of_is_its_payout(books: SettlementWorld) -> None:
    """By the reference in the bank's words; it moves cash against what the gateway owes."""
    books.take(10_000)
    with books.database.transaction() as tx:
        tx.execute(
            "INSERT INTO gateway_payouts (gateway, mode, currency, reference, amount, expected_on,"
            " lines) VALUES ('sandbox', 'test', 'EUR', 'po_20261123', 10000, %s, 0)",
            (DAY,),
        )
    told = Booked(10_000, is_debit=False, remittance="SANDBOX PO 20261123 THANKS")
    books.hear(statement(told, Booked(77, is_debit=False, remittance="HELLO"), opening=0))

    assert books.verdicts() == ["gateway", "extra"]
    assert books.posted(AccountType.CASH) == 10_077
    assert books.posted(AccountType.GATEWAY_RECEIVABLE) == 0
    assert books.breaks() == [("extra", "bank_line", 77, "OPEN")]
