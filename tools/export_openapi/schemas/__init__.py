"""Schemas of answers: a model for each resource that the API shows.

The product makes its answers as dicts and writes them as text; these models never run in it. They
are for the document, and tests hold every answer against them.
"""
