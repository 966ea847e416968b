"""Miniatures: one slice of an image with its layers, small, in true proportions."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from nifti_kit.core.html import Illustration
from nifti_kit.render.panes import Pane
from nifti_kit.render.picture import Artist, Look, write_sides
from nifti_kit.render.scene import Plane

QUALITY = 70
"""Of a picture that an app is opened with: a sixth of the bytes, and edges stay clear."""

COLORS = 256
"""Of a picture: half the bytes of one with all colours, and nobody sees the difference."""


def miniature(artist: Artist, plane: Plane, look: Look, longest: int) -> npt.NDArray[np.uint8]:
    """Return a slice (lines, columns, red-green-blue), its longer side of so many pixels.

    It is the slice of ``plane`` at the look's position; letters at the edges say where the
    patient's sides are, the right on the left (radiological convention).
    """
    pane = Pane.whole(artist.grid, plane, longest)
    with np.errstate(all="ignore"):  # grey values may be anything
        pixels = artist.pane(pane, look).copy()
    write_sides(pixels, plane)
    return np.ascontiguousarray(pixels[..., :3])


def sketch(pixels: npt.NDArray[np.uint8], caption: str) -> Illustration:
    """Return a miniature as a WebP of few bytes: a first sight, not to be judged by its pixels."""
    picture = Image.fromarray(pixels)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY)
    return Illustration(out.getvalue(), caption, *picture.size)


def illustration(pixels: npt.NDArray[np.uint8], caption: str) -> Illustration:
    """Return a miniature as a PNG of few colours, with what it shows in words."""
    picture = Image.fromarray(pixels).quantize(COLORS)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return Illustration(out.getvalue(), caption, *picture.size)
