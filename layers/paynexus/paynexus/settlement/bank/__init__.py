"""The bank: files written for it, files read from it, and the boxes they lie in."""
