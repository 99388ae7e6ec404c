"""Layers that a prediction leaves to edit: operator masks and region transforms, their edits and their files."""
