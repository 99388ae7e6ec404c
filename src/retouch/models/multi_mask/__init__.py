"""Sg-MMH: operator masks without a given foreground mask (Ren, Liu 2022)."""
