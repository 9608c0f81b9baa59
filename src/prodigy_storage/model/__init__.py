"""The pure domain: values and their rules, without any input or output."""
