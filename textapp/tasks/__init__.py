"""Tasks, one folder each: settings, head, scores, dashboards."""
