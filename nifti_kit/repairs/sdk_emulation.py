"""Where the platform's SDK puts a mask: an emulation of its calls, as measured on 6.74.51.

The specification's two alignment options end in these calls. Nothing here imports the SDK; tests
compare the emulation with it. What is returned is where each voxel *would* lie, to be measured
and drawn against where its file says it lies; :func:`nifti_kit.align_mask` goes neither way.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, ras_orientation

_LPS = np.diag([-1.0, -1.0, 1.0])
"""Between RAS+ and LPS+ the first two coordinates change their sign; both ways."""

_REVERSED = np.eye(4)[[2, 1, 0, 3]]
"""numpy's order of axes to ITK's, and back."""


def as_mask3d(grid: Grid, *, header_space: Literal["RAS", "LPS"] = "RAS") -> Grid:
    """Return where ``sly.Mask3D(array, volume_header=header)`` puts the voxels of an array.

    The origin is rounded to whole millimetres: up to 0.87 mm. With a header in LPS (3D Slicer
    writes those) the array is also reordered, with the axes of numpy taken for those of ITK.

    Parameters
    ----------
    grid
        What the header says of the array (RAS+ mm), in the array's own order of axes.
    header_space
        How the header counts: ``right-anterior-superior`` or ``left-posterior-superior``.

    Returns
    -------
    Grid
        For the same indices (i, j, k): voxel by voxel comparable with ``grid``.
    """
    if header_space == "RAS":
        return Grid(grid.shape, _affine(grid.affine[:3, :3], _rounded(grid.origin)))
    # What the SDK hands to ITK: the axes reversed, the directions transposed.
    directions = (_LPS @ grid.directions).T
    origin = _rounded(_LPS @ grid.origin)
    into_ras = _LPS @ directions * grid.voxel_size
    seen = Grid(grid.shape[::-1], _affine(into_ras, _LPS @ origin))
    orientation = ras_orientation(seen)
    ordered = seen.reoriented(orientation)
    to_ordered = np.linalg.inv(orientation.index_map(seen.shape))
    return Grid(grid.shape, _as_mask3d_header(ordered) @ _REVERSED @ to_ordered @ _REVERSED)


def as_converted(grid: Grid) -> Grid:
    """Return where ``sly.volume.volume.convert_3d_nifti_to_nrrd`` puts the voxels of a file.

    It negates columns of the direction matrix where LPS to RAS negates rows: what is tilted out of
    the axial plane comes out tilted the other way. The origin is right, and so is a straight file.

    Parameters
    ----------
    grid
        Of the file (RAS+ mm), axes in any order.

    Returns
    -------
    Grid
        In RAS+ order, as the data that the function returns: comparable with ``grid.to_ras()``.
    """
    ras = grid.to_ras()
    return Grid(ras.shape, _tilted(ras))


def _as_mask3d_header(grid: Grid) -> npt.NDArray[np.float64]:
    affine = _tilted(grid)
    return _affine(affine[:3, :3], _rounded(affine[:3, 3]))


def _tilted(grid: Grid) -> npt.NDArray[np.float64]:
    """Return the affine that the SDK makes of a RAS+ grid that ITK has in LPS+."""
    return _affine(_LPS @ grid.directions @ _LPS * grid.voxel_size, grid.origin)


def _rounded(origin: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array([round(mm) for mm in origin.tolist()], dtype=np.float64)


def _affine(
    matrix: npt.NDArray[np.float64], origin: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = origin
    return affine
