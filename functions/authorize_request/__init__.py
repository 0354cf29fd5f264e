"""REQUEST authorizer of the API: a token in, a principal and a policy out."""
