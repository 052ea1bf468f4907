"""Migrations of the database, run by `medaccord.store.open_engine`."""
