"""From the domain to bytes and back: records (fast, msgspec), documents (cattrs), and the kinds that backends index."""
