"""The sandbox acquirer: the bank's side of a card payment, for merchants who test."""
