"""Gateways: the banks' doors, what came of each call, and when to stop knocking."""
