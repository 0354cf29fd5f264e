"""The API reference as a page, and the OpenAPI document that it is made from."""
