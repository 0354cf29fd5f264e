"""Bytes as orders: every text of bytes is a sequence of orders that make sense together."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

from paynexus import ids
from tests.properties.ledger_bridge import NAMES
from tests.properties.ledger_oracle import Order

STATES = ("single",) * 5 + ("pending",) * 5 + ("post",) * 4 + ("void", "reverse")
AMOUNTS = (1, 2, 3, 5, 10, 10, 20, 40, 40, 70, 100, 100, 1_000, 10**12)
HOUR = 3_600
BYTES_OF_ORDER = 7
OFTEN, RARELY = 235, 252
"""A byte above these: one in twelve, one in sixty-four."""


@dataclass(slots=True)
class Author:
    """Writes orders, and remembers them: later ones post, void, reverse or repeat them."""

    asked: list[Order] = field(default_factory=list)

    def orders(self, script: bytes) -> Iterator[Order]:
        """As many orders as the bytes are enough for."""
        for at in range(0, len(script) - BYTES_OF_ORDER + 1, BYTES_OF_ORDER):
            yield self.order(script[at : at + BYTES_OF_ORDER])

    def order(self, word: bytes) -> Order:
        """What seven bytes mean; all zero is the simplest order."""
        self.asked.append(self._order(word))
        return self.asked[-1]

    def _order(self, word: bytes) -> Order:
        kind, accounts, amount, earlier, flags, timeout, again = word
        if again > OFTEN and self.asked:
            return self.again(earlier)
        order = Order(
            id=ids.new_id(),
            state=STATES[kind % len(STATES)],
            amount=AMOUNTS[amount % len(AMOUNTS)] if amount < RARELY else amount - 255,
            is_linked=flags % 8 == 7,
            is_final=flags < OFTEN // 2,
            note=amount if flags % 32 == 1 else None,
        )
        if order.state in {"post", "void"} and self._has("pending"):
            whole = order.state == "void" or flags % 4 == 0
            pending_id = self._earlier("pending", earlier)
            return replace(order, pending_id=pending_id, amount=None if whole else order.amount)
        if order.state == "reverse" and self._has("single post"):
            return replace(order, amount=None, reverses=self._earlier("single post", earlier))
        debit, apart = (
            accounts % 5,
            accounts // 5 % 5 if accounts > OFTEN else accounts // 5 % 4 + 1,
        )
        state = order.state if order.state in {"single", "pending"} else "pending"
        return replace(
            order,
            state=state,
            debit=NAMES[debit],
            credit=NAMES[(debit + apart) % 5],
            kind="refund" if kind > OFTEN else "payment",
            timeout=self._timeout(state, timeout),
            balancing={3: "debit", 4: "credit"}.get(flags % 8),
        )

    @staticmethod
    def _timeout(state: str, byte: int) -> int | None:
        if byte >= RARELY:
            return RARELY - byte
        return HOUR * (byte % 3) or None if state == "pending" else None

    def _has(self, states: str) -> bool:
        return any(one.state in states for one in self.asked)

    def _earlier(self, states: str, byte: int) -> UUID:
        """Mostly a transfer in one of these states, the latest first; rarely any, or none."""
        fitting = [one.id for one in self.asked if one.state in states or byte >= RARELY]
        return ids.new_id() if byte > RARELY else fitting[-1 - byte % len(fitting)]

    def again(self, byte: int) -> Order:
        """An earlier order, as it was or with one thing changed."""
        order = replace(self.asked[-1 - byte // 8 % len(self.asked)], is_linked=False)
        change = (
            {},
            {},
            {},
            {"amount": (order.amount or 0) + 1},
            {"amount": None} if order.state == "post" else {"note": 1},
            {"is_final": not order.is_final} if order.state == "post" else {"timeout": HOUR},
            {"debit": order.credit, "credit": order.debit},
            {
                "state": "pending" if order.state == "single" else "single",
                "pending_id": None,
                "reverses": None,
                "debit": NAMES[0],
                "credit": NAMES[1],
                "amount": 7,
            },
        )[byte % 8]
        return replace(order, **change)
