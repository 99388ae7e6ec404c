"""The command line: thin commands over the rooms. `app.main` runs it."""
