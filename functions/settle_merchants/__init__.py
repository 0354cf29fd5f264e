"""Schedule: batch what merchants are owed and instruct the bank."""
