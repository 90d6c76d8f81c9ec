"""The main job over real gRPC and HTTP, on virtual time."""
