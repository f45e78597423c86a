"""Pixels become a finding: preprocessing, the model file with its card, the network."""
