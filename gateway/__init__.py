"""The gateway: one gRPC protocol in front of every carrier, and the ledger behind it."""
