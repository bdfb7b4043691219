"""Registry, stack, endpoint and ledger -> what to do next, from any event."""
