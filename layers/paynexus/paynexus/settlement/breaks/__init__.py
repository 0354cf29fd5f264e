"""Breaks: whatever of settlement a person or a policy must look at, until it is explained."""
