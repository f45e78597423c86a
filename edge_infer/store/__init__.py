"""The day's store: SQLite, rows in and rows out."""
