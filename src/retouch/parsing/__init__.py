"""From raw photographs to scenes: decoding, working size, and labels where the source has none."""
