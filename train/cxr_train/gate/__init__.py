"""The gate: which pictures are no upright frontal chest film, learnt and measured."""
