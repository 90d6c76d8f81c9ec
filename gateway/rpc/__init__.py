"""The public interface: messages to commands and rows to messages, and nothing else."""
