"""Models, one file each: parts first, the whole model last."""
