"""Schedule: how far payments and their scores have moved, and how right decisions were."""
