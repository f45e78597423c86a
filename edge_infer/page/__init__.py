"""The page of a day: its rows, words, style and script."""
