"""Layers rebuilt for devices, one file for each kind: a table `LOWERED` names the class that takes a layer's place.

A lowered class is a subclass that has the same weights and config, and overrides what it computes with.
"""
