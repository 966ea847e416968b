"""Object classes and tags of a project, in its meta and in their own lists."""

from __future__ import annotations

from typing import Any

from tests.platform.refusals import need, wrong
from tests.platform.state import State, refuse_taken
from tests.platform.tables import Row, Table, page

Data = dict[str, Any]


def meta(state: State, data: Data) -> Data:
    """Return the meta of a project, every class and tag with its id."""
    project = state.projects.asked(data.get("id"))
    return {
        "classes": [shown(row) for row in state.classes.where(projectId=project["id"])],
        "tags": [shown(row) for row in state.tags.where(projectId=project["id"])],
        "projectType": project["type"],
    }


def shown(row: Row) -> Data:
    """Return a class or tag as the meta has it."""
    return {**row["json"], "id": row["id"]}


def update_meta(state: State, data: Data) -> Data:
    """Replace the meta of a project: known ids and names keep their id, missing ones go."""
    project = state.projects.named(need(data, "id"))
    new = need(data, "meta", dict)
    plans = [
        matched(state.classes, project, need(new, "classes", list), "title", "shape"),
        matched(state.tags, project, new.get("tags", []), "name", "value_type"),
    ]
    for table, plan in zip((state.classes, state.tags), plans, strict=True):
        kept = {row["id"] for row, _ in plan if row is not None}
        for row in table.where(projectId=project["id"]):
            if row["id"] not in kept:
                remove(state, table, row)
        for row, (name, json) in plan:
            if row is None:
                table.add(projectId=project["id"], name=name, json=json)
            else:
                row.update(name=name, json=json)
    return meta(state, {"id": project["id"]})


def matched(
    table: Table, project: Row, entries: list[Data], title: str, fixed: str
) -> list[tuple[Row | None, tuple[str, Data]]]:
    """Return each new entry with the row that it changes; what is fixed must not change."""
    names = [need(entry, title, str) for entry in entries]
    refuse_taken([], names, table.kind)
    rows = table.where(projectId=project["id"])
    plan = []
    for name, entry in zip(names, entries, strict=True):
        row = next((r for r in rows if r["id"] == entry.get("id")), None)
        row = row or next((r for r in rows if r["name"] == name), None)
        json, value = {k: v for k, v in entry.items() if k != "id"}, need(entry, fixed, str)
        if row is not None and row["json"][fixed] != value:
            have = row["json"][fixed]
            raise wrong(f"{table.kind} {name!r} has the {fixed} {have!r}, not {value!r}")
        plan.append((row, (name, json)))
    return plan


def remove(state: State, table: Table, row: Row) -> None:
    """Remove a class with its objects, or a tag wherever it is set."""
    if table is state.classes:
        for item in state.objects.where(classId=row["id"]):
            state.remove_object(item)
    else:
        for tagged in (state.volume_tags, state.object_tags):
            for tag in tagged.where(tagId=row["id"]):
                del tagged.rows[tag["id"]]
    del table.rows[row["id"]]


def class_json(row: Row) -> Row:
    """Return an object class as its own list shows it."""
    json = row["json"]
    fields = {"description": json.get("description", ""), "shape": json["shape"]}
    times = {key: row[key] for key in ("createdAt", "updatedAt")}
    return {
        "id": row["id"],
        "name": row["name"],
        **fields,
        "color": json.get("color"),
        "settings": {},
        **times,
    }


def list_classes(state: State, data: Data) -> Data:
    project = state.projects.asked(need(data, "projectId"))
    rows = [class_json(row) for row in state.classes.where(projectId=project["id"])]
    return page(rows, data, state.page_size)


def class_info(state: State, data: Data) -> Row:
    return class_json(state.classes.asked(data.get("id")))


def list_tags(state: State, data: Data) -> Data:
    project = state.projects.asked(need(data, "projectId"))
    rows = []
    for row in state.tags.where(projectId=project["id"]):
        settings = {"type": row["json"].get("value_type")}
        listed = {key: row[key] for key in ("id", "projectId", "name", "createdAt", "updatedAt")}
        rows.append({**listed, "settings": settings, "color": row["json"].get("color")})
    return page(rows, data, state.page_size)
