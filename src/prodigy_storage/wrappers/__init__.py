"""Storages around a storage: each adds one behaviour and is a `Storage` itself."""
