"""The commands: options, progress, exit codes. Typer lives here and nowhere else."""
