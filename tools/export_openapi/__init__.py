"""Writes docs/openapi.json: what the API's routes, models and answers say, as one document."""

from tools.export_openapi.document import TARGET, codes, document, text

__all__ = ["TARGET", "codes", "document", "text"]
