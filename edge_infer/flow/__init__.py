"""What happens to a film and to a day, readable at a glance."""
