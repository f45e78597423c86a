"""Everything the toolkit says, one file a language: `en.py`, `ko.py`."""
