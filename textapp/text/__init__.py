"""Text to tokens to ids. Pure Python, shared with devices."""
