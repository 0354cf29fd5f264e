"""Rules as data: written in CEL, kept in versions, run live or in shadow."""
