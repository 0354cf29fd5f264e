"""Schedule, continuous: the write-ahead log goes to the bus."""
