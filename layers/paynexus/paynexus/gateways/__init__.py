"""Gateways: the port to those who move the money."""
