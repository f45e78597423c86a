"""What this PC is and can: machine, native code, long paths, whole files."""
