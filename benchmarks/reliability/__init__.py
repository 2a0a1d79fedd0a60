"""Tries to break textapp: kills, full disks, signals, two commands at one place, changed files, bombs."""
