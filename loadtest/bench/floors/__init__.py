"""What the same work costs when it is done bare: what the gateway is compared with."""
