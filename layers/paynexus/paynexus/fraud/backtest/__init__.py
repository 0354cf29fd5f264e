"""Back-tests: what a change would have decided, and the gate it passes to take effect.

The log of payments is replayed moment by moment (`replay`), decided twice, without the change and
with it, and the difference told (`report`). Only what the gate lets through (`gate`) is promoted
(`promotion`), and can be put back by one call.
"""
