"""Settlement: pay merchants what they are owed."""
