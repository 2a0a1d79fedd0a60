"""Bundles inside engines that textapp does not depend on: Ray Data and Spark."""
