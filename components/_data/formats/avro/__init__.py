"""Avro: types from the writer's schema, rows block by block."""
