"""A path becomes pixels: finding the images of a folder and reading each one safely."""
