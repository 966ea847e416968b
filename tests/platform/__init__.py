"""A stand-in for the platform: what the SDK 6.74.51 needs for volume projects, on loopback.

``running_platform()`` starts it. These flows of the unmodified SDK work on it: the connection and
its version check; teams, workspaces, projects, metas, settings and custom data; datasets, nested
ones too; volumes from arrays, files and folders (blobs by hash, slices), their list, download,
renaming and removal; annotations with ``mask_3d`` and slice figures, tags and custom data, their
download; figures and geometries, synchronous and asynchronous; ``sly.upload_volume_project`` and
``sly.download_volume_project``.

``seeds`` fills a state for a test, ``client`` posts without the SDK.

It keeps what it is given byte for byte, refuses what the platform refuses, and can be told to fail
(``faults``). Nothing is idempotent that is not idempotent there: objects, figures and slices that
are sent twice exist twice, a volume that is sent twice is refused.

Simplified: one token sees everything; a removed thing is gone at once, without a bin; a class or
tag that is missing in a new meta is deleted with its objects; custom data is merged in depth;
ids rise through all kinds of things, so that an id of another kind is never a valid one by chance;
no pictures of slices, no meshes made from figures, no links, no copies, no jobs. A method that is
not known gets 404 and stands in ``unknown``.
"""

from tests.platform.faults import Faults
from tests.platform.fixture import Platform, running_platform
from tests.platform.refusals import Refused
from tests.platform.state import State

__all__ = ["Faults", "Platform", "Refused", "State", "running_platform"]
