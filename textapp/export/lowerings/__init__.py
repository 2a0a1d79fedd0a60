"""Layers rebuilt for devices, one file for each kind. In each file `LOWERED` maps a layer class to its replacement.

A lowered class is a subclass with the same weights and config. It overrides only the computation.
"""
