"""Train, compare, calibrate and evaluate chest X-ray classifiers."""
