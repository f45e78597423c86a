"""Training: the loop, the network, augmentation, checkpoints."""
