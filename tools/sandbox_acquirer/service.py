"""Use cases of the acquirer: take an operation, tell what became of it, list the day's money."""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from tools.sandbox_acquirer import settlement
from tools.sandbox_acquirer.disputes import (
    RESPOND_WITHIN_DAYS,
    Asked,
    Dispute,
    closed,
    require_disputable,
)
from tools.sandbox_acquirer.disputes import Outcome as DisputeOutcome
from tools.sandbox_acquirer.rules import (
    Charge,
    Effect,
    Operation,
    Request,
    RequestRefused,
    changed,
    fee_of,
    opened,
)
from tools.sandbox_acquirer.settlement import OfADay, Planted
from tools.sandbox_acquirer.store import Entry, Store
from tools.sandbox_acquirer.tokens import (
    APPROVAL,
    BEFORE_EFFECT,
    FIRST,
    SLOW_SECONDS,
    Behaviour,
    Fault,
    behaviour_of,
)

IN_PROGRESS_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the client is to receive: the answer, and how the line fails before it arrives."""

    answer: str | None
    fault: Fault | None = None
    is_replay: bool = False


class Acquirer:
    """Takes each reference once, however often and however concurrently it is sent."""

    def __init__(
        self,
        store: Store,
        *,
        sleep: Callable[[float], object],
        clock: Callable[[], datetime],
        name: str = FIRST,
    ) -> None:
        """Serve the books in `store`; `sleep` is how slow operations pass their time."""
        self._store = store
        self._sleep = sleep
        self._clock = clock
        self._name = name
        self._progress = threading.Condition()

    def send(self, request: Request) -> Exchange:
        """
        The operation is in the books at most once; repeated sends get its stored answer.

        A fault before the effect leaves nothing behind but the count of sends. A fault after it
        strikes the first send only: the books then answer for themselves.
        """
        self._wait_for(request.reference)
        self._wait_for(request.charge_reference)
        with self._store.transaction():
            sends = self._store.count_send(request.reference)
            self._refuse_in_progress(request)
            replay = self._replay(request)
            if replay is not None:
                return replay
            behaviour = self._behaviour(request)
            fault = behaviour.fault
            if fault in BEFORE_EFFECT and not (behaviour.once and sends > 1):
                return Exchange(None, fault)
            if fault is not Fault.SLOW:
                answer = self._execute(request, behaviour)
                return Exchange(answer, None if fault in BEFORE_EFFECT else fault)
            self._reserve(request)
        return self._finish_slowly(request, behaviour)

    def inquire(self, reference: str) -> str | None:
        """What became of `reference`; None when it never took effect here."""
        operation = self._store.operation(reference)
        return None if operation is None else operation.answer

    def charge(self, reference: str) -> dict[str, object] | None:
        """The charge as it is now."""
        charge = self._store.charge(reference)
        return None if charge is None else {**_fields(charge), "status": charge.status}

    def charges(self, *, after: int, limit: int) -> dict[str, object]:
        """One page of charges, oldest first, each with how often its reference was sent."""
        rows = self._store.charges(after=after, limit=limit + 1)
        data = [
            {**_fields(charge), "status": charge.status, "sends": sends, "sequence": sequence}
            for sequence, charge, sends in rows[:limit]
        ]
        return {"data": data, "has_more": len(rows) > limit}

    def open_dispute(self, charge_reference: str, asked: Asked) -> dict[str, object]:
        """The payer's bank has the money back for now; the merchant is told by a callback.

        All that is not disputed yet unless an amount is named. RequestRefused for a charge that
        nobody knows, or for more than was captured.
        """
        with self._store.transaction():
            charge = self._store.charge(charge_reference)
            if charge is None:
                raise RequestRefused(404, "unknown_charge", "no charge has this reference")
            return self._open_dispute(charge, asked).fields

    def close_dispute(self, dispute_id: str, outcome: DisputeOutcome) -> dict[str, object]:
        """The payer's bank has decided; the merchant is told. Twice the same is once.

        RequestRefused for a dispute that nobody knows, or that has ended otherwise.
        """
        with self._store.transaction():
            dispute = self._store.dispute(dispute_id)
            if dispute is None:
                raise RequestRefused(404, "unknown_dispute", "no dispute has this id")
            return self._close_dispute(dispute, outcome).fields

    def dispute(self, dispute_id: str) -> dict[str, object] | None:
        """The dispute as it is now."""
        dispute = self._store.dispute(dispute_id)
        return None if dispute is None else dispute.fields

    def statistics(self) -> dict[str, object]:
        """Totals over everything ever recorded."""
        return self._store.statistics()

    def settlement_file(self, day: date) -> str:
        """The day's money (UTC) as CSV: one line per operation that moved any."""
        return settlement.csv_of(self._name, day, self._settled(day))

    def payouts(self, day: date) -> dict[str, object]:
        """What is paid for the day's file, by currency."""
        return {"data": settlement.payouts_of(self._name, day, self._settled(day))}

    def plant(self, day: date, planted: Planted) -> dict[str, object]:
        """The day's settlement file and its payouts have the fault from now on."""
        self._store.plant(day.isoformat(), planted)
        return {"date": day.isoformat(), **asdict(planted)}

    def _settled(self, day: date) -> list[settlement.Line]:
        before = day - timedelta(days=1)
        faults = settlement.Faults(
            *(OfADay(self._store.planted(d.isoformat())) for d in (day, before))
        )
        return settlement.lines_of(day, self._moved(day), self._moved(before), faults)

    def _moved(self, day: date) -> list[settlement.Line]:
        start, end = day.isoformat(), (day + timedelta(days=1)).isoformat()
        return [settlement.Line(*row) for row in self._store.settled_between(start, end)]

    def _replay(self, request: Request) -> Exchange | None:
        stored = self._store.operation(request.reference)
        if stored is None:
            return None
        if stored.fingerprint != request.fingerprint:
            raise RequestRefused(
                409,
                "reference_reused",
                "this reference belongs to a different request",
            )
        return Exchange(stored.answer, is_replay=True)

    def _refuse_in_progress(self, request: Request) -> None:
        if self._is_in_progress(request.reference) or self._is_in_progress(
            request.charge_reference,
        ):
            raise RequestRefused(409, "operation_in_progress", "still being processed; inquire")

    def _behaviour(self, request: Request) -> Behaviour:
        token = request.payment_method
        if request.operation is not Operation.CHARGE:
            charge = self._store.charge(request.charge_reference)
            token = None if charge is None else charge.payment_method
        return (
            APPROVAL
            if token is None
            else behaviour_of(token, request.operation.value, acquirer=self._name)
        )

    def _reserve(self, request: Request) -> None:
        answer = _answer(request, status="processing", code=None, at=self._now())
        self._store.put_operation(request, Entry("processing", answer, self._now()))

    def _finish_slowly(self, request: Request, behaviour: Behaviour) -> Exchange:
        self._sleep(SLOW_SECONDS)
        with self._store.transaction():
            answer = self._execute(request, behaviour)
        with self._progress:
            self._progress.notify_all()
        return Exchange(answer)

    def _execute(self, request: Request, behaviour: Behaviour) -> str:
        """The operation's effect and answer are in the books when the transaction commits."""
        effect = behaviour.decline or self._effect(request)
        at = self._now()
        if isinstance(effect, str):
            answer = _answer(request, status="declined", code=effect, at=at)
            self._store.put_operation(request, Entry("declined", answer, at))
            return answer
        if effect.charge is not None:
            self._store.put_charge(effect.charge)
        answer = _answer(request, status="approved", code=None, at=at)
        fee = fee_of(effect.settled)
        self._store.put_operation(request, Entry("approved", answer, at, effect.settled, fee))
        times = 2 if behaviour.fault is Fault.DUPLICATE_CALLBACK else 1
        self._tell({"operation": json.loads(answer)}, times=times)
        if behaviour.dispute is not None:
            self._dispute_at_once(request.charge_reference, behaviour.dispute)
        return answer

    def _dispute_at_once(self, charge_reference: str, state: str) -> None:
        charge = self._store.charge(charge_reference)
        if charge is None or charge.canceled or charge.captured <= charge.disputed:
            return
        dispute = self._open_dispute(charge, Asked(None, "fraudulent"))
        if state != dispute.status:
            self._close_dispute(dispute, DisputeOutcome(state))

    def _open_dispute(self, charge: Charge, asked: Asked) -> Dispute:
        amount, at = asked.amount or max(charge.captured - charge.disputed, 1), self._clock()
        require_disputable(charge, amount)
        dispute = Dispute(
            id=f"dsp_{uuid.uuid4().hex}",
            charge_reference=charge.reference,
            amount=amount,
            currency=charge.currency,
            reason=asked.reason,
            respond_by=_text_of(at + timedelta(days=RESPOND_WITHIN_DAYS)),
            created=_text_of(at),
        )
        self._store.put_dispute(dispute)
        self._tell({"dispute": dispute.fields})
        return dispute

    def _close_dispute(self, dispute: Dispute, outcome: DisputeOutcome) -> Dispute:
        ended = closed(dispute, outcome)
        if dispute.status == "open":
            self._store.put_dispute(ended, closed=self._now())
            self._tell({"dispute": ended.fields})
        return ended

    def _tell(self, news: dict[str, object], *, times: int = 1) -> None:
        body = json.dumps({"id": f"cb_{uuid.uuid4().hex}", **news})
        for _ in range(times):
            self._store.put_callback(body)

    def _effect(self, request: Request) -> Effect | str:
        if request.operation is Operation.CHARGE:
            canceled = self._store.is_canceled_before_arrival(request.reference)
            return opened(request, canceled_before=canceled)
        charge = self._store.charge(request.charge_reference)
        if charge is not None:
            return changed(request, charge)
        is_known = self._store.operation(request.charge_reference) is not None
        if request.operation is not Operation.CANCEL:
            if is_known:
                return "charge_declined"
            raise RequestRefused(404, "unknown_charge", "no charge has this reference")
        if not is_known:
            self._store.cancel_before_arrival(request.charge_reference)
        return Effect(None)

    def _wait_for(self, reference: str) -> None:
        """Let an operation in progress under `reference` finish, within reason."""
        with self._progress:
            self._progress.wait_for(
                lambda: not self._is_in_progress(reference),
                timeout=IN_PROGRESS_WAIT_SECONDS,
            )

    def _is_in_progress(self, reference: str) -> bool:
        operation = self._store.operation(reference)
        return operation is not None and operation.status == "processing"

    def _now(self) -> str:
        return _text_of(self._clock())


def _text_of(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _answer(request: Request, *, status: str, code: str | None, at: str) -> str:
    return json.dumps(
        {
            "reference": request.reference,
            "operation": request.operation.value,
            "charge_reference": request.charge_reference,
            "status": status,
            "code": code,
            "gateway_reference": f"sbx_{request.fingerprint[:8]}{uuid.uuid4().hex[:16]}",
            "amount": request.amount,
            "currency": request.currency,
            "created": at,
        },
    )


def _fields(charge: object) -> dict[str, object]:
    money = ("amount", "currency", "captured", "refunded", "disputed")
    return {name: getattr(charge, name) for name in ("reference", *money, "canceled", "released")}
