"""The store: schema, named queries, and the batch writer that commits decisions."""
