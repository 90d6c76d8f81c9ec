"""Load that is too much, and a carrier that hangs: what the gateway still does for the others."""
