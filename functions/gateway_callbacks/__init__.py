"""Function: gateways say what became of operations."""
