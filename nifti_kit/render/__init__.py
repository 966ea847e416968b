"""Pixels of a volume with its masks: planes, layers, one slice. Drawn with numpy and Pillow.

Nothing here knows what a file, a plan or a notebook is. Label maps hold the numbers of classes;
slices, windows and colours are table look-ups, so that a picture takes a few milliseconds.
"""

from __future__ import annotations

from nifti_kit.render.layers import Layer, Stack
from nifti_kit.render.picture import Artist, Look
from nifti_kit.render.position import Scene, Window, best_position, presets_of
from nifti_kit.render.scene import Mask

__all__ = [
    "Artist",
    "Layer",
    "Look",
    "Mask",
    "Scene",
    "Stack",
    "Window",
    "best_position",
    "presets_of",
]
