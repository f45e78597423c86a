"""The films a training is about: manifest, images, sources."""
