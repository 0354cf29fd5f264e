"""Transfers and what their entries tell of the balances: two kinds of rows become one. Pure."""

from collections.abc import Mapping, Sequence

from paynexus.changefeed.facts import CREDIT_BALANCE, DEBIT_BALANCE
from paynexus.changefeed.pgoutput import Row


class Pairs:
    """Rows in their order, each transfer with the balances that its two entries tell of.

    They follow it in its transaction. What comes in between waits behind it.
    """

    def __init__(self) -> None:
        self._held: list[Row] = []
        self._incomplete: dict[str | None, dict[str, str | None]] = {}

    def add(self, row: Row) -> Sequence[Row]:
        """The rows that need wait no longer."""
        match row.table:
            case "ledger_entries":
                self._complete(row.values)
            case "transfers":
                values = dict(row.values)
                self._held.append(Row(row.table, values))
                self._incomplete[values["id"]] = values
            case _:
                self._held.append(row)
        return () if self._incomplete else self.end()

    def end(self) -> Sequence[Row]:
        """All rows that were held: the transaction has no more of them."""
        held, self._held = self._held, []
        self._incomplete.clear()
        return held

    def _complete(self, entry: Mapping[str, str | None]) -> None:
        transfer = self._incomplete.get(entry["transfer_id"])
        if transfer is None:
            return
        is_debit = entry["account_id"] == transfer["debit_account_id"]
        transfer[DEBIT_BALANCE if is_debit else CREDIT_BALANCE] = entry["balance_after"]
        if DEBIT_BALANCE in transfer and CREDIT_BALANCE in transfer:
            del self._incomplete[entry["transfer_id"]]
