"""Codes that stay masked until a study is locked."""
