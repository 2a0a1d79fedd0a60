"""What `textapp report` measures and writes."""
