"""Workflow step: status, books, answer and event in one commit."""
