"""Conformance kits: what a third party runs against its own plug-in file."""
