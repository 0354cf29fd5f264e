"""The room's SQL, run on the caller's connection."""
