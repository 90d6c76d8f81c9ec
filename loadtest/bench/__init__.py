"""Benchmarks: CPU time of the gateway's process per operation, beside floors in the same run."""
