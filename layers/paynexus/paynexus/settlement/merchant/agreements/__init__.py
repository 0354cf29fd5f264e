"""What is agreed with merchants about their payouts: read by them, changed by operators."""
