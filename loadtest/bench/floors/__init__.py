"""What the same work costs when it is done bare: the processes that the gateway is compared with."""
