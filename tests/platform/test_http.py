"""The stand-in's server: bodies, tokens, and faults that do what was planned."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests

from tests.platform import Faults, Platform, State, running_platform
from tests.platform.client import Client
from tests.platform.endpoints import call
from tests.platform.faults import CARRIED_OUT, ODD, UNKNOWN
from tests.platform.http import PLANNED
from tests.platform.multipart import read as read_form
from tests.platform.multipart import write as write_form
from tests.platform.seeds import META, Seed, nrrd_bytes
from tests.platform.state import hash_of
from tests.support import uploads

state, seed = uploads.state, uploads.seed
platform = uploads.platform_of_state


@pytest.fixture
def client(platform: Platform) -> Client:
    return Client(platform)


def test_a_geometry_comes_back_byte_for_byte(client: Client, seed: Seed) -> None:
    second = seed.add_figure(seed.object)
    contents = {seed.figure: bytes(range(256)) * 50, second: b"\r\n--\r\n\x00\r\n"}
    for figure, content in contents.items():
        files = {"figureId": (None, str(figure)), "geometry": (str(figure), content)}
        assert client.post("figures.bulk.upload.geometry", files=files).status_code == 200
    answer = client.post("figures.bulk.download.geometry", {"ids": [second, seed.figure]})
    parts = read_form(answer.content, answer.headers["Content-Type"])
    assert [(int(one.name), one.content) for one in parts] == [
        (second, contents[second]),
        (seed.figure, contents[seed.figure]),
    ]


def test_a_figure_without_geometry_is_listed_and_its_download_is_not_found(
    client: Client, seed: Seed
) -> None:
    answer = client.post("figures.bulk.download.geometry", {"ids": [seed.figure]})
    assert answer.status_code == 404
    assert answer.json()["details"]["type"] == "FILE_NOT_FOUND"
    listed = seed.call("volumes.annotations.bulk.info", volumeIds=[seed.volume])
    assert [one["id"] for one in listed[0]["spatialFigures"]] == [seed.figure]


def test_a_range_of_a_volume_comes_back_with_the_hash_of_the_whole(
    client: Client, seed: Seed
) -> None:
    headers = {**client.headers, "Range": "bytes=4-9"}
    answer = client.post("volumes.download", {"id": seed.volume}, headers=headers)
    content = seed.state.blobs[seed.hash]
    assert (answer.status_code, answer.content) == (206, content[4:10])
    assert answer.headers["x-content-checksum-sha256"] == seed.hash
    assert answer.headers["Content-Range"] == f"bytes 4-9/{len(content)}"


def test_a_token_is_required_and_must_be_the_right_one(platform: Platform, client: Client) -> None:
    assert client.post("teams.list", {}).status_code == 200
    assert client.post("teams.list", {}, headers={}).status_code == 401
    wrong = client.post("teams.list", {}, headers={"x-api-key": "other"})
    assert wrong.status_code == 403
    assert wrong.json()["error"] == "API token is not valid"
    assert [one.status for one in platform.requests] == [200, 401, 403]


def test_an_unknown_method_is_not_found_and_kept(platform: Platform, client: Client) -> None:
    answer = client.post("volumes.guess", {})
    assert answer.status_code == 404
    assert answer.json()["error"] == "unknown method 'volumes.guess'"
    assert platform.unknown == ["volumes.guess"]


@pytest.mark.parametrize("body", [b"{", b"\xff"])
def test_a_body_that_is_not_json_is_refused(body: bytes, client: Client) -> None:
    answer = client.post("teams.list", data=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "the body is not JSON")


def test_a_body_in_chunks_is_read(platform: Platform, client: Client) -> None:
    body, content_type = write_form([("0", b"a" * 70_000), ("1", b"b")])
    pieces = (body[at : at + 999] for at in range(0, len(body), 999))
    headers = {**client.headers, "Content-Type": content_type}
    answer = client.post("images.bulk.upload", data=pieces, headers=headers)
    assert answer.json() == [{"hash": hash_of(b"a" * 70_000)}, {"hash": hash_of(b"b")}]
    assert platform.requests[0].size == len(body)
    known = client.post("images.internal.hashes.list", ["x", hash_of(b"b")])
    assert known.json() == [hash_of(b"b")]


def test_a_form_that_is_cut_off_is_refused(client: Client) -> None:
    body, content_type = write_form([("0", b"content")])
    headers = {**client.headers, "Content-Type": content_type}
    answer = client.post("images.bulk.upload", data=body[:-4], headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "the multipart body is cut off"


def test_a_promised_body_that_does_not_come_is_timed_out() -> None:
    with running_platform(patience=1) as platform:
        # What the SDK does on its second attempt at a form: the length, and nothing after it.
        headers = {"x-api-key": platform.token, "Content-Length": "500"}
        request = requests.Request("POST", f"{platform.address}/public/api/v3/images.bulk.upload")
        prepared = request.prepare()
        prepared.headers.update(headers)
        with requests.Session() as session:
            assert session.send(prepared, timeout=20).status_code == 408
        assert [one.status for one in platform.requests] == [408]


@pytest.mark.parametrize(
    "body", ["Content-Length: 9\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n9\r\n{"]
)
def test_a_client_that_leaves_while_it_sends_changes_nothing(body: str, platform: Platform) -> None:
    host = urlsplit(platform.address)
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        connection.sendall(f"POST /public/api/v3/teams.list HTTP/1.1\r\n{body}".encode())
        platform.wait_for(1)
    platform.stop()
    assert [one.status for one in platform.requests] == [None]
    assert platform.errors == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_planned_status_is_answered_and_nothing_is_carried_out(
    status: int, platform: Platform, client: Client
) -> None:
    data = {"teamId": platform.state.team["id"], "name": "new"}
    platform.faults.on("workspaces.add", str(status), times=2, skip=1, retry_after=0.5)
    answers = [client.post("workspaces.add", {**data, "name": f"{n}"}) for n in range(4)]
    assert [one.status_code for one in answers] == [200, status, status, 200]
    assert [one.headers.get("Retry-After") for one in answers] == [None, "0.5", "0.5", None]
    assert [row["name"] for row in platform.state.workspaces] == ["workspace", "0", "3"]
    assert [one.fault for one in platform.requests] == [None, f"{status}", f"{status}", None]


BODIES = {answer: body for answer, (_, body) in ODD.items()}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_answer_that_does_not_say_so_comes_to_what_was_carried_out_and_to_what_was_not(
    kind: str, platform: Platform, client: Client
) -> None:
    data = {"teamId": platform.state.team["id"], "name": "new"}
    platform.faults.on("workspaces.add", kind)
    carried_out, answer = kind in CARRIED_OUT, kind.rpartition(" ")[2]
    if answer in ("half", "before", "after"):
        with pytest.raises(requests.RequestException):
            client.post("workspaces.add", data)
    else:
        came = client.post("workspaces.add", data)
        assert came.status_code == (int(answer) if answer.isdigit() else 200)
        assert came.content == BODIES.get(answer, json.dumps(PLANNED).encode())
    names = [row["name"] for row in platform.state.workspaces]
    assert names == ["workspace"] + ["new"] * carried_out
    assert [one.fault for one in platform.requests] == [kind]
    again = client.post("workspaces.add", data)
    assert again.status_code == (400 if carried_out else 200)
    first, second = (one.content for one in platform.requests)
    assert first == ("" if kind == "reset before" else second)  # no body was read


@pytest.mark.parametrize("kind", ["done half", "not half"])
def test_half_an_answer_is_less_than_its_header_promises(kind: str, platform: Platform) -> None:
    platform.faults.on("teams.list", kind)
    host = urlsplit(platform.address)
    lines = ["POST /public/api/v3/teams.list HTTP/1.1", f"Host: {host.netloc}"]
    lines += [f"x-api-key: {platform.token}", "Content-Length: 2", "", "{}"]
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        head, _, body = b"".join(iter(lambda: connection.recv(9999), b"")).partition(b"\r\n\r\n")
    promised = int(head.decode().partition("Content-Length: ")[2].split()[0])
    assert len(body) == promised // 2 > 0
    assert body in json.dumps(PLANNED).encode() or b'"total": 1' in body


@pytest.mark.parametrize("kind", ["done 500", "not html", "reset before", "reset after", "slow"])
def test_what_others_do_meanwhile_is_done_before_the_answer(
    kind: str, platform: Platform, client: Client
) -> None:
    team = platform.state.team["id"]

    def meanwhile() -> None:
        call(platform.state, "workspaces.add", {"teamId": team, "name": "theirs"})

    platform.faults.on("workspaces.add", kind, meanwhile=meanwhile)
    with suppress(requests.ConnectionError):
        client.post("workspaces.add", {"teamId": team, "name": "ours"})
    names = [row["name"] for row in platform.state.workspaces]
    ours = ["ours"] * (kind in ("done 500", "reset after", "slow"))
    assert names == ["workspace", *ours, "theirs"]


def test_a_form_that_is_sent_again_has_the_same_content(
    platform: Platform, client: Client, seed: Seed
) -> None:
    for content in (b"one", b"one", b"two"):
        files = {"figureId": (None, str(seed.figure)), "geometry": ("g", content)}
        assert client.post("figures.bulk.upload.geometry", files=files).ok
    first, second, third = (one.content for one in platform.requests)
    assert first == second != third


@pytest.mark.parametrize(
    ("kind", "names"),
    [("reset before", ["workspace"]), ("reset after", ["workspace", "new"])],
)
def test_a_reset_comes_before_or_after_the_request_is_carried_out(
    kind: str, names: list[str], platform: Platform, client: Client
) -> None:
    platform.faults.at(2, kind)
    assert client.post("teams.list", {}).status_code == 200
    body = json.dumps({"teamId": platform.state.team["id"], "name": "new"})
    host = urlsplit(platform.address)
    # At once, by hand: between the header and the body a client may see other errors.
    lines = [
        "POST /public/api/v3/workspaces.add HTTP/1.1",
        f"Host: {host.netloc}",
        f"x-api-key: {platform.token}",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert client.post("teams.list", {}).status_code == 200
    assert [row["name"] for row in platform.state.workspaces] == names
    assert [one.status for one in platform.requests] == [200, None, 200]


def test_a_large_body_meets_a_reset(platform: Platform, client: Client) -> None:
    platform.faults.on("images.bulk.upload", "reset before")
    with pytest.raises(requests.ConnectionError):
        client.post("images.bulk.upload", files={"0-file": ("0", b"x" * 20_000_000)})
    assert platform.state.blobs == {}


def test_a_slow_answer_comes_after_the_client_has_given_up(
    platform: Platform, client: Client
) -> None:
    platform.faults.on("workspaces.add", "slow", seconds=1)
    with pytest.raises(requests.ReadTimeout):
        client.post(
            "workspaces.add",
            {"teamId": platform.state.team["id"], "name": "new"},
            timeout=(20, 0.05),
        )
    platform.stop()  # waits for what is under way
    assert [row["name"] for row in platform.state.workspaces] == ["workspace", "new"]


def test_from_its_death_on_the_server_is_gone_until_it_restarts(
    platform: Platform, client: Client
) -> None:
    platform.faults.at(3, "death")
    team = platform.state.team["id"]
    for name in ("0", "1"):
        assert client.post("workspaces.add", {"teamId": team, "name": name}).status_code == 200
    for _ in range(3):
        with pytest.raises(requests.ConnectionError):
            client.post("workspaces.add", {"teamId": team, "name": "2"})
    assert [one.fault for one in platform.requests] == [None, None, "death"]
    address = platform.address
    platform.restart()
    assert platform.address == address
    assert client.post("workspaces.add", {"teamId": team, "name": "2"}).status_code == 200
    assert [row["name"] for row in platform.state.workspaces] == ["workspace", "0", "1", "2"]


def test_requests_that_wait_when_the_server_dies_are_not_carried_out(
    platform: Platform, client: Client
) -> None:
    platform.faults.on("workspaces.add", "slow", seconds=60)
    platform.faults.on("users.me", "death")
    data = {"teamId": platform.state.team["id"], "name": "new"}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.post, "workspaces.add", data)
        platform.wait_for(1)
        with pytest.raises(requests.ConnectionError):
            client.post("users.me", {})
        with pytest.raises(requests.ConnectionError):
            slow.result()
    platform.restart()
    assert [row["name"] for row in platform.state.workspaces] == ["workspace"]


@pytest.mark.parametrize(
    "kind", ["rest before", "html", "not 500", "done", "done reset after", "done nothing"]
)
def test_an_unknown_kind_of_fault_is_an_error(kind: str) -> None:
    with pytest.raises(ValueError, match=f"unknown kind of fault '{kind}'"):
        Faults().at(1, kind)


def test_latency_is_spent_side_by_side() -> None:
    with running_platform(latency=0.05) as platform:
        client = Client(platform)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.post("teams.list", {}), range(16)))
        assert {one.status_code for one in answers} == {200}
        # A request counts until its answer is sent; its client may be ahead of that.
        assert 2 <= platform.most_at_once <= 2 * 4


def test_eight_threads_leave_a_consistent_state(
    platform: Platform, client: Client, seed: Seed
) -> None:
    threads, each = 8, 12

    def fill(thread: int) -> None:
        """Add volumes (one name that all threads want), objects, figures and geometries."""
        for number in range(each):
            name = f"{thread}-{number}.nrrd" if number else "shared.nrrd"
            content = nrrd_bytes(np.full((2, 2, 2), thread * each + number, np.int16))
            form = {"0-file": ("0", content)}
            hashed = client.post("images.bulk.upload", files=form).json()[0]["hash"]
            entry = {"name": name, "hash": hashed, "meta": META}
            data = {"datasetId": seed.dataset, "volumes": [entry]}
            answer = client.post("volumes.bulk.add", data)
            if answer.status_code == 400:
                assert answer.json()["details"]["type"] == "NONUNIQUE"
                continue
            volume = answer.json()[0]["id"]
            objects = {"classId": seed.bone, "entityId": volume}
            data = {"datasetId": seed.dataset, "annotationObjects": [objects] * 2}
            made = client.post("annotation-objects.bulk.add", data).json()
            figures = [{"objectId": one["id"], "geometryType": "mask_3d"} for one in made]
            data = {"entityId": volume, "figures": figures}
            for one in client.post("figures.bulk.add", data).json():
                form = {"figureId": (None, str(one["id"])), "geometry": ("g", content)}
                assert client.post("figures.bulk.upload.geometry", files=form).ok

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(threads)))
    state = seed.state
    names = [row["name"] for row in state.volumes]
    assert len(names) == len(set(names)) == threads * (each - 1) + 2
    ids = [row["id"] for table in tables_of(state) for row in table]
    assert len(ids) == len(set(ids))
    new = [row for row in state.figures if row["id"] != seed.figure]
    assert len(new) == 2 * (len(names) - 1)
    for row in new:
        volume = state.volumes.rows[row["entityId"]]
        assert state.objects.rows[row["objectId"]]["entityId"] == volume["id"]
        assert hash_of(state.geometries[row["id"]]) == volume["hash"]
    assert [one.number for one in platform.requests] == list(range(1, len(platform.requests) + 1))


def tables_of(state: State) -> list[Any]:
    return [one for one in vars(state).values() if type(one).__name__ == "Table"]
