"""What answers about payments look like: payments, refunds, disputes."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.payments.dispute import DisputeStatus
from paynexus.payments.model import RefundStatus, Status
from tools.export_openapi.schemas.words import Closed, one_of


class NextAction(Closed):
    """What the payer has to do before the payment goes on."""

    type: Literal["challenge"]
    confirm_path: Annotated[str, Field(description="Where the result is to be posted.")]


class Payment(data.PaymentData):
    """A payment. `fee` is kept of what is captured; amounts are in minor units."""

    status: Annotated[str, one_of(Status)]  # type: ignore[assignment]  # the enum's own words
    next_action: NextAction | None  # type: ignore[assignment]  # closed here, open in events


class Refund(data.RefundData):
    """Money on its way back from one payment."""

    status: Annotated[str, one_of(RefundStatus)]  # type: ignore[assignment]  # the enum's own words


class Dispute(data.DisputeData):
    """Captured money that a payer asks back; its merchant bears `covered` unless it is won."""

    status: Annotated[str, one_of(DisputeStatus)]  # type: ignore[assignment]  # the enum's own words
