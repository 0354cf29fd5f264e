"""One operation on one payment, as the workflow is asked to bring it to its end."""

from dataclasses import dataclass
from uuid import UUID

from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one payment: a charge is its payment's, a refund has its own id."""

    payment_id: PaymentId
    operation: Operation
    operation_id: UUID

    def __post_init__(self) -> None:
        # A payment has one charge: under any other id it would be another one.
        if self.operation is Operation.CHARGE and self.operation_id != self.payment_id:
            raise ValueError("a charge is its payment's own operation")
