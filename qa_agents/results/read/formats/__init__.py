"""One module per family of result formats. To add one: write it here, and name it in `registry.py`."""
