"""The carrier simulator: the other end of the wire. It shares no code with gateway or adapters."""
