"""What open disputes have reserved is not paid out; what became of them is, in the next run."""

import datetime as dt

import pytest

from paynexus.lists.model import Page
from paynexus.payments.verdicts import Verdict
from paynexus.settlement import service
from paynexus.settlement.merchant import service as reading
from tests.disputing import Bank as PayersBank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tests.settlement_world import FolderBank
from tools.sandbox_acquirer.disputes import Outcome as End

NET = 1000 - 40
"""Of a payment of 10.00, after its fee."""


@pytest.mark.parametrize(("end", "borne"), [(End.WON, 0), (End.LOST, 1000)])
def test_disputed_money_waits_for_the_end_of_its_dispute(
    flow: Flow, sandbox: Sandbox, end: End, borne: int
) -> None:
    """Nobody is paid what may be lost; in the end all but what was lost is paid, fees included."""
    bank, payers = FolderBank(), PayersBank(flow, sandbox)
    flow.take(amount=1000)
    disputed, _ = flow.take(amount=1000)
    name = payers.open(disputed)
    assert payers.learn(name) is Verdict.CONFIRMED

    def paid_after(days: int) -> int:
        now = flow.now + dt.timedelta(days=days)
        service.settle(flow.database, bank, now=now, cutoff=now)
        made, _ = reading.list_settlements(
            flow.database, Page(9), merchant_id=flow.merchant, mode="test"
        )
        return sum(one.amount for one in made)

    assert paid_after(1) <= NET
    payers.close(name, end)
    payers.learn(name)
    assert paid_after(2) == 2 * NET - borne
    flow.take(amount=1000)
    assert paid_after(3) == 3 * NET - borne
