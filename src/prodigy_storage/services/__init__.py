"""One module for each aggregate; each operation is: fetch, decide (pure), commit."""
