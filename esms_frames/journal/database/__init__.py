"""The journal's database: a SQLite file, or a PostgreSQL server."""
