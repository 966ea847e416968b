"""Acts: what a person can do to the chosen score table, one method each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nifti_kit.widgets.scores import edits
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.edits import Edited, column_of
from nifti_kit.widgets.scores.evidence import HEAD, Remark, layer_key, line_key
from nifti_kit.widgets.scores.fixes import fixed
from nifti_kit.widgets.scores.sheets import LAYER

__all__ = ["ScoreActs"]


class ScoreActs:
    """Edits of a score table; each is checked at once, and can be undone.

    All raise :class:`nifti_kit.errors.BadScores` if the edit is refused; nothing changes then.
    """

    def _edit(self, edit: Callable[[Draft], Edited], at: tuple[str, str] | None = None) -> None:
        """Make an edit; then a person is at the cell ``at``, or stays where they are."""
        raise NotImplementedError

    def put(self, layer: int, label: int | str, text: Any) -> None:
        """Give a cell a score, as it is to be written; ``""`` or None removes it."""
        key, name = layer_key(layer), column_of(label)
        written = "" if text is None else str(text)
        self._edit(lambda draft: edits.scored(draft, key, name, written), (key, name))

    def note(self, layer: int, label: int | str, comment: str) -> None:
        """Give a cell a comment; ``""`` removes it."""
        key, name = layer_key(layer), column_of(label)
        self._edit(lambda draft: edits.commented(draft, key, name, comment), (key, name))

    def place_line(self, line: int, layer: int | str) -> None:
        """Give the row in a line of the file another layer."""
        self._edit(lambda draft: edits.placed(draft, _key_of(draft, line), str(layer)))

    def remove_line(self, line: int) -> None:
        """Remove the row in a line of the file."""
        self._edit(lambda draft: edits.row_removed(draft, _key_of(draft, line)))

    def move_column(self, label: int | str, to: int | str) -> None:
        """Give the scores of a column, with their comments, to another label."""
        self._edit(lambda draft: edits.column_moved(draft, _name(draft, label), to))

    def remove_column(self, label: int | str) -> None:
        """Remove a column, with its comments."""
        self._edit(lambda draft: edits.column_removed(draft, _name(draft, label)))

    def count_from(self, base: int, frames: str = "file") -> None:
        """Count the layers from 1 or 0, and from the first or (``reversed``) the last frame.

        For a table without masks ``frames`` is what :func:`nifti_kit.scan` has as
        ``score_frames``.
        """
        self._edit(lambda draft: edits.counted_anew(draft, base, frames))

    def rebase(self) -> None:
        """Count the layers from the other number: 0 instead of 1, or 1 instead of 0."""
        self._edit(lambda draft: edits.counted_anew(draft, 1 - draft.base, draft.frames))

    def reverse(self) -> None:
        """Count the layers from the other end."""
        ends = {"reversed": "file"}
        self._edit(
            lambda draft: edits.counted_anew(draft, draft.base, ends.get(draft.frames, "reversed"))
        )

    def shift(self, by: int) -> None:
        """Move every row by some layers."""
        self._edit(lambda draft: edits.shifted(draft, by))

    def fix(self, remark: Remark) -> None:
        """Do what is offered about a remark: clear the cell, remove the row, and the like."""
        self._edit(lambda draft: fixed(remark, draft))

    def type(self, key: str, column: str, text: str) -> None:
        """Type into a cell of the grid: a score, a row's layer, or the name of a column."""
        if key == HEAD:
            self._edit(lambda draft: edits.column_moved(draft, column, text), (HEAD, column))
        elif column == LAYER:
            self._edit(lambda draft: edits.placed(draft, key, text), (key, column))
        else:
            self._edit(lambda draft: edits.scored(draft, key, column, text), (key, column))

    def remark_on(self, key: str, column: str, comment: str) -> None:
        """Type a comment beside a cell of the grid."""
        self._edit(lambda draft: edits.commented(draft, key, column, comment), (key, column))


def _key_of(draft: Draft, line: int) -> str:
    """Return the key of the row in a line of the file."""
    for layer, row in draft.rows.items():
        if row.number == line:
            return layer_key(layer)
    return line_key(line)


def _name(draft: Draft, label: int | str) -> str:
    """Return the column that is meant: one that has no label by its own name."""
    return str(label) if label in draft.sheet.columns else column_of(label)
