"""A network applied to a picture of any size, and picture files in and out."""
