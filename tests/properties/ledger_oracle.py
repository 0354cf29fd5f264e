"""The ledger's rules in memory, as TigerBeetle documents them, and our documented extensions.

Written from docs.tigerbeetle.com (reference: create_transfers, transfer, account; coding:
two-phase transfers, linked events, reliable transaction submission), not from our SQL, so that
a misreading there is a difference here. Ours beside TigerBeetle's: a hold is posted in up to
fifty parts, so what became of it is told before amounts are compared; a posted transfer can be
reversed once; a chain may repeat what exists. Slots do not exist here: however many rows an
account's balance is spread over, these are its balances.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

MAX_PARTS = 50
LARGEST = 2**63 - 1
BOOKED = frozenset({"created", "exists"})
TRANSIENT = frozenset(
    {
        "exceeds_credits",
        "exceeds_debits",
        "debit_account_already_closed",
        "credit_account_already_closed",
    }
)
"""Refusals that might pass: the id is spent, so that it can't succeed later by accident."""
ENDS = {
    "post": "pending_transfer_already_posted",
    "void": "pending_transfer_already_voided",
    "expire": "pending_transfer_expired",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One transfer that somebody asks for. A post's amount None: all that is left."""

    id: UUID
    state: str
    debit: str = ""
    credit: str = ""
    amount: int | None = None
    kind: str = "payment"
    timeout: int | None = None
    pending_id: UUID | None = None
    is_final: bool = True
    reverses: UUID | None = None
    balancing: str | None = None
    is_linked: bool = False
    note: int | None = None


@dataclass(slots=True)
class Account:
    """Four totals, a limit on one side, and whether it is closed."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    limit: str | None = None
    is_closed: bool = False

    @property
    def nets(self) -> tuple[int, int]:
        """Debits less credits: posted, pending."""
        return (
            self.debits_posted - self.credits_posted,
            self.debits_pending - self.credits_pending,
        )

    @property
    def debit_room(self) -> int:
        """How much may be taken until debits, reserved ones too, reach posted credits."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    @property
    def credit_room(self) -> int:
        """How much may be given until credits, promised ones too, reach posted debits."""
        return self.debits_posted - self.credits_posted - self.credits_pending


@dataclass(slots=True)
class Hold:
    """A pending transfer: what is left of it, and how it ended, if it did."""

    left: int
    expires: int | None
    parts: int = 0
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of an order: what moved, how much of its hold it let go, and whether all."""

    order: Order
    amount: int
    released: int = 0
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an account, debit-positive; `cause` is the transfer, or the hold that expired."""

    cause: UUID
    account: str
    type: str
    delta: int
    released: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an order comes to: `fields` differ, `amount` moves, `nets` are balances after it."""

    status: str
    amount: int = 0
    fields: frozenset[str] = frozenset()
    nets: tuple[tuple[int, int], tuple[int, int]] | None = None


@dataclass(slots=True)
class Ledger:
    """Accounts by name, all that was ever asked for, and what time it is, in seconds."""

    accounts: dict[str, Account]
    transfers: dict[UUID, Booked] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    failed: dict[UUID, str] = field(default_factory=dict)
    reversals: set[UUID] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    now: int = 0

    def book(self, orders: Sequence[Order]) -> list[Verdict]:
        """Each order's verdict, in order; chains are booked whole or not at all."""
        return [verdict for chain in _chains(orders) for verdict in self._book_chain(chain)]

    def judge(self, order: Order) -> Verdict:
        """What the order would come to now; nothing changes."""
        judges: dict[str, Callable[[Order], Verdict]] = {
            "single": self._judge_new,
            "pending": self._judge_new,
            "post": self._judge_resolution,
            "void": self._judge_resolution,
            "reverse": self._judge_reversal,
        }
        return judges[order.state](order)

    def expire(self) -> int:
        """Holds whose time is up are void; how many were."""
        due = [id_ for id_, hold in self.holds.items() if hold.end is None and self._is_due(hold)]
        for id_ in due:
            self.expire_one(id_)
        return len(due)

    def expire_one(self, pending_id: UUID) -> None:
        """This hold, whose time is up, is void."""
        hold = self.holds[pending_id]
        assert hold.end is None
        assert self._is_due(hold)
        self._release(self.transfers[pending_id].order, hold.left)
        hold.end = "expire"

    def limit(self, account: str, side: str | None) -> bool:
        """The account is limited on this side from now on, unless it is beyond that already."""
        one = self.accounts[account]
        is_beyond = {"debit": one.debit_room < 0, "credit": one.credit_room < 0, None: False}[side]
        if not is_beyond:
            one.limit = side
        return not is_beyond

    # Chains.

    def _book_chain(self, chain: Sequence[Order]) -> list[Verdict]:
        failed = [Verdict("linked_event_failed") for _ in chain]
        if chain[-1].is_linked:
            failed[-1] = Verdict("linked_event_chain_open")
            return failed
        before = self.copy() if len(chain) > 1 else self
        verdicts = []
        for number, order in enumerate(chain):
            verdict = self._book_one(order)
            if verdict.status not in BOOKED:
                self._restore(before)
                if verdict.status in TRANSIENT:
                    self.failed[order.id] = verdict.status
                failed[number] = verdict
                return failed
            verdicts.append(verdict)
        return verdicts

    def copy(self) -> "Ledger":
        """The same ledger, apart from this one."""
        return Ledger(
            {name: replace(one) for name, one in self.accounts.items()},
            dict(self.transfers),
            {id_: replace(hold) for id_, hold in self.holds.items()},
            dict(self.failed),
            set(self.reversals),
            list(self.entries),
            self.now,
        )

    def _restore(self, before: "Ledger") -> None:
        for name in ("accounts", "transfers", "holds", "failed", "reversals", "entries"):
            setattr(self, name, getattr(before, name))

    def _book_one(self, order: Order) -> Verdict:
        verdict = self.judge(order)
        if verdict.status == "created" and order.state in {"post", "void"}:
            self._resolve(order, verdict.amount)
        elif verdict.status == "created":
            self._move(order, verdict.amount)
        if verdict.status not in BOOKED:
            return verdict
        booked = self.transfers[order.id]
        debit, credit = self.accounts[booked.order.debit], self.accounts[booked.order.credit]
        return replace(verdict, amount=booked.amount, nets=(debit.nets, credit.nets))

    # Ids that were used before.

    def _known(self, order: Order) -> Verdict | None:
        if order.id in self.failed:
            return Verdict("id_already_failed")
        if order.id not in self.transfers:
            return None
        booked = self.transfers[order.id]
        known = booked.order
        fields = {
            "state": order.state == known.state,
            "pending_id": order.pending_id == known.pending_id,
            "reverses": order.reverses == known.reverses,
            "debit_account_id": order.debit == known.debit,
            "credit_account_id": order.credit == known.credit,
            "kind": order.kind == known.kind,
            "timeout": known.state != "pending" or order.timeout == known.timeout,
            "metadata": order.note == known.note,
            "amount": _is_amount_of(order, booked),
            "is_final": _is_final_as(order, booked),
        }
        different = frozenset(name for name, is_same in fields.items() if not is_same)
        return Verdict("exists_with_difference" if different else "exists", fields=different)

    # Single and pending transfers.

    def _judge_new(self, order: Order) -> Verdict:
        if order.amount is None or order.amount <= 0:
            return Verdict("amount_must_be_positive")
        if order.timeout is not None and order.state != "pending":
            return Verdict("timeout_reserved_for_pending_transfer")
        if order.timeout is not None and order.timeout <= 0:
            return Verdict("timeout_must_be_positive")
        if order.debit == order.credit:
            return Verdict("accounts_must_be_different")
        return self._known(order) or self._judge_movement(order, order.amount)

    def _judge_movement(self, order: Order, amount: int) -> Verdict:
        debit, credit = self.accounts[order.debit], self.accounts[order.credit]
        if debit.is_closed:
            return Verdict("debit_account_already_closed")
        if credit.is_closed:
            return Verdict("credit_account_already_closed")
        if order.balancing == "debit":
            amount = min(amount, max(debit.debit_room, 0))
        if order.balancing == "credit":
            amount = min(amount, max(credit.credit_room, 0))
        if not amount:
            # Nothing can move at all: as TigerBeetle answered before its release 0.16.
            side = "credits" if order.balancing == "debit" else "debits"
            return Verdict(f"exceeds_{side}")
        if debit.limit == "debit" and amount > debit.debit_room:
            return Verdict("exceeds_credits")
        if credit.limit == "credit" and amount > credit.credit_room:
            return Verdict("exceeds_debits")
        return Verdict("created", amount)

    def _move(self, order: Order, amount: int) -> None:
        if order.state == "reverse":
            order = self._backward(order)
            assert order.reverses is not None
            self.reversals.add(order.reverses)
        self.transfers[order.id] = Booked(order, amount)
        debit, credit = self.accounts[order.debit], self.accounts[order.credit]
        if order.state == "pending":
            self.holds[order.id] = Hold(amount, order.timeout and self.now + order.timeout)
            debit.debits_pending += amount
            credit.credits_pending += amount
            self._enter(order, "pending", amount)
        else:
            debit.debits_posted += amount
            credit.credits_posted += amount
            self._enter(order, "posted", amount)

    # Post and void.

    def _judge_resolution(self, order: Order) -> Verdict:
        unfit = self._unfit(order)
        if unfit:
            return Verdict(unfit)
        assert order.pending_id is not None
        pending = self.transfers[order.pending_id].order
        order = replace(order, debit=pending.debit, credit=pending.credit, kind=pending.kind)
        hold = self.holds[pending.id]
        if hold.end is not None:
            return self._known(order) or Verdict(ENDS[hold.end])
        return self._known(order) or self._judge_part(order, hold)

    def _unfit(self, order: Order) -> str | None:
        """Why the order can't resolve anything, whatever has happened to its hold."""
        if order.amount is not None and order.amount <= 0:
            return "amount_must_be_positive"
        if order.timeout is not None:
            return "timeout_reserved_for_pending_transfer"
        if order.pending_id not in self.transfers:
            return "pending_transfer_not_found"
        is_pending = self.transfers[order.pending_id].order.state == "pending"
        return None if is_pending else "pending_transfer_not_pending"

    def _judge_part(self, order: Order, hold: Hold) -> Verdict:
        amount = hold.left if order.amount is None or order.state == "void" else order.amount
        if self._is_due(hold):
            return Verdict("pending_transfer_expired")
        if amount > hold.left:
            return Verdict("exceeds_pending_transfer_amount")
        if hold.parts + 1 >= MAX_PARTS and not (order.is_final or amount == hold.left):
            return Verdict("too_many_parts")
        # Of all movements, only a release is still possible on a closed account.
        if order.state == "post" and self.accounts[order.debit].is_closed:
            return Verdict("debit_account_already_closed")
        if order.state == "post" and self.accounts[order.credit].is_closed:
            return Verdict("credit_account_already_closed")
        return Verdict("created", amount)

    def _is_due(self, hold: Hold) -> bool:
        return hold.expires is not None and hold.expires <= self.now

    def _resolve(self, order: Order, amount: int) -> None:
        assert order.pending_id is not None
        hold, pending = self.holds[order.pending_id], self.transfers[order.pending_id].order
        order = replace(order, debit=pending.debit, credit=pending.credit, kind=pending.kind)
        is_final = order.state == "void" or order.is_final or amount == hold.left
        released = hold.left if is_final else amount
        self.transfers[order.id] = Booked(order, amount, released, is_final)
        hold.parts += 1
        hold.end = order.state if is_final else None
        self._release(order, released, posted=amount if order.state == "post" else 0)

    def _release(self, order: Order, released: int, *, posted: int = 0) -> None:
        debit, credit = self.accounts[order.debit], self.accounts[order.credit]
        self.holds[order.pending_id or order.id].left -= released
        debit.debits_pending -= released
        credit.credits_pending -= released
        debit.debits_posted += posted
        credit.credits_posted += posted
        if posted:
            self._enter(order, "posted", posted, released)
        else:
            self._enter(order, "voided", -released)

    # Reversals.

    def _judge_reversal(self, order: Order) -> Verdict:
        forward = self.transfers.get(order.reverses) if order.reverses else None
        if forward is None:
            return Verdict("transfer_not_found")
        if forward.order.state in {"pending", "void"}:
            return Verdict("transfer_not_posted")
        known = self._known(self._backward(order))
        if known is not None:
            return known
        if order.reverses in self.reversals:
            return Verdict("transfer_already_reversed")
        return self._judge_movement(self._backward(order), forward.amount)

    def _backward(self, order: Order) -> Order:
        """What a reversal is: the single transfer that moves all of the other back."""
        assert order.reverses is not None
        forward = self.transfers[order.reverses]
        return replace(
            order,
            state="single",
            debit=forward.order.credit,
            credit=forward.order.debit,
            amount=forward.amount,
            kind="reversal",
            balancing=None,
        )

    def _enter(self, order: Order, type_: str, delta: int, released: int = 0) -> None:
        self.entries += [
            Entry(order.id, order.debit, type_, delta, released),
            Entry(order.id, order.credit, type_, -delta, -released),
        ]


def _chains(orders: Sequence[Order]) -> Iterator[Sequence[Order]]:
    """The orders, cut after each one that is not linked to the next."""
    start = 0
    for end, order in enumerate(orders, 1):
        if not order.is_linked or end == len(orders):
            yield orders[start:end]
            start = end


def _is_amount_of(order: Order, booked: Booked) -> bool:
    if order.state == "void":
        return order.amount in {None, booked.amount}
    if order.amount is None:
        return booked.amount == booked.released
    if order.balancing:
        # What is asked for is the most; what moved then depended on the balance.
        return order.amount >= booked.amount
    return order.amount == booked.amount


def _is_final_as(order: Order, booked: Booked) -> bool:
    """Posting all that is left is final, whether or not it was asked for as final."""
    if order.state != "post":
        return True
    return booked.is_final if order.is_final else booked.amount == booked.released
