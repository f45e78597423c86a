"""The processes in which a crash or a hang costs one film."""
