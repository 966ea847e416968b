"""The label table that a NIfTI file carries itself, between its header and its voxels."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import IO, Any

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import read_text
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.class_maps.dialects import recognise, title_of
from nifti_kit.formats.class_maps.entries import ClassMap
from nifti_kit.formats.class_maps.lines import Collector, Reading, fractions, table_of, whole
from nifti_kit.formats.deflate import STREAM_FAULTS, skip
from nifti_kit.formats.nifti import EXTENSION_FLAG_BYTES, ImageFile, open_stream
from nifti_kit.formats.nifti_header import NIFTI1_BYTES, NIFTI2_BYTES

XML_CODES = (0, 30)
"""Extension codes of label tables in XML: TotalSegmentator's (unknown), Workbench's (Caret)."""

MAX_TABLE_BYTES = 2**22
"""117 classes take 12 KB; what is much larger (DICOM, AFNI's history) is no label table."""

EXTENSION_BYTES = 8
"""Size and code of an extension, in front of its content."""


def names_in_header(image: ImageFile) -> ClassMap:
    """Return the classes that a NIfTI file names itself; an empty map where it names none.

    Two forms are known: XML with a ``LabelTable`` in an extension (TotalSegmentator under code 0,
    Workbench under code 30), and lines of text between header and voxels (MRIcroGL). A table that
    is there and cannot be read is a fault of the map. Nothing is raised: what is wrong with the
    file is found where its voxels are read.
    """
    size = NIFTI1_BYTES if image.version == 1 else NIFTI2_BYTES
    room = image.offset - size - EXTENSION_FLAG_BYTES
    if room <= EXTENSION_BYTES:
        return ClassMap()
    try:
        with open_stream(image.path, image.content) as stream:
            order = "little" if stream.read(4) == size.to_bytes(4, "little") else "big"
            skip(stream, size - 4)
            if stream.read(EXTENSION_FLAG_BYTES)[:1].strip(b"\0"):
                return _of_extensions(stream, order, room, image)
            return _of_text(stream.read(min(room, MAX_TABLE_BYTES)), image)
    except STREAM_FAULTS:
        return ClassMap()


def _of_extensions(stream: IO[bytes], order: Any, room: int, image: ImageFile) -> ClassMap:
    for content in _contents(stream, order, room):
        if b"<LabelTable" in content:
            return _of_xml(content, image)
    return ClassMap()


def _contents(stream: IO[bytes], order: Any, room: int) -> Iterator[bytes]:
    """Yield the content of each extension that may be a label table."""
    while room > EXTENSION_BYTES:
        start = stream.read(EXTENSION_BYTES)
        size = int.from_bytes(start[:4], order)
        code = int.from_bytes(start[4:], order)
        if not EXTENSION_BYTES < size <= room:
            return
        if code in XML_CODES and size <= MAX_TABLE_BYTES:
            yield stream.read(size - EXTENSION_BYTES)
        else:
            skip(stream, size - EXTENSION_BYTES)
        room -= size


def _of_xml(content: bytes, image: ImageFile) -> ClassMap:
    text = content[: content.rfind(b">") + 1]  # padded with zeros, or blanks, to 16 bytes
    try:
        if b"<!DOCTYPE" in text:  # its entities could grow without bound
            raise ET.ParseError("it declares entities")
        labels = next(ET.fromstring(text).iter("LabelTable")).iter("Label")
    except (ET.ParseError, StopIteration, ValueError, LookupError) as error:
        return ClassMap((), str(image.relative), (_unreadable(image, str(error)),))
    collector = Collector()
    for label in labels:
        key, name = label.get("Key", ""), " ".join((label.text or "").split())
        value = whole(key.strip())
        color = fractions([label.get(part, "") for part in ("Red", "Green", "Blue")])
        if value is not None:
            collector.take(0, f"{key} {name}", (value, name, color), "its header")
    return _as_map(collector.reading("header"), image)


def _as_map(reading: Reading, image: ImageFile) -> ClassMap:
    faults = [_unreadable(image, fault) for fault in reading.faults]
    if reading.zero is not None:
        message = f"its header names 0 {reading.zero.name!r}, but 0 is background and does not land"
        remedy = "If its names count from 0, give the classes: scan(..., classes={1: 'Femur'})."
        faults.append(finding("class-table-zero", image.relative, message, remedy=remedy))
    return ClassMap(reading.entries, str(image.relative), tuple(faults))


def _unreadable(image: ImageFile, why: str) -> Finding:
    message = f"its header has a label table that cannot be read: {why}"
    return finding("names-in-header-unused", image.relative, message)


def _of_text(content: bytes, image: ImageFile) -> ClassMap:
    """Return the table that lines of text are; an empty one where they are none."""
    text = content.strip(b"\0").split(b"\0")[0]
    try:
        readings, _ = recognise(table_of(read_text(image.path, text)))
    except NiftiKitError:
        return ClassMap()
    if not readings:
        return ClassMap()
    reading = readings[0]
    words = any(character.isalpha() for entry in reading.entries for character in entry.name)
    if not words or len(reading.faults) >= len(reading.entries):
        return ClassMap()
    if len(readings) > 1:
        why = f"it is a {' or a '.join(title_of(found.dialect) for found in readings)}"
        return ClassMap((), str(image.relative), (_unreadable(image, why),))
    return _as_map(reading, image)
