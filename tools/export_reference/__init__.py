"""The API reference as one page of HTML, made from docs/openapi.json."""
