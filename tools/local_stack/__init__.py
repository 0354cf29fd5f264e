"""The local stack: every part PayNexus needs, as ordinary processes on loopback."""
