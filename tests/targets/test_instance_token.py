"""The token, and a password in the address: they go to one place, and show in none."""

from __future__ import annotations

import base64
import http.client
import pickle
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, Places
from nifti_kit.targets.instance.client import AnswerLost, Connection, Refused
from nifti_kit.targets.instance.credentials import Address, Secret, token_here
from nifti_kit.targets.instance.places import api_from_env
from tests.platform import Platform
from tests.support.answers import Answer, answering, as_json, as_page
from tests.support.landings import write_volumes
from tests.support.uploads import api, impatience, land, new_dataset, new_project

TOKEN = "TokenThatNobodySees"
PASSWORD = "p@ss w0rd/of the proxy"
QUOTED = "p%40ss%20w0rd%2Fof%20the%20proxy"
BASIC = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
SECRETS = (TOKEN, PASSWORD, QUOTED, BASIC)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch, patience=0.2)


class Api:
    """What is taken of the SDK's client; as that one it does not show its token."""

    def __init__(self, address: str, token: str = TOKEN) -> None:
        self.server_address, self.token = address, token


def with_login(address: str) -> str:
    return address.replace("://", f"://user:{QUOTED}@")


# Elsewhere


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("repeatable", [True, False])
def test_no_token_follows_to_another_host(status: int, repeatable: bool) -> None:
    with answering(as_json({})) as other, answering(Answer(200)) as there:
        url = f"{other.address}/public/api/v3/projects.info"
        there.plan = [Answer(status, headers={"Location": url})]
        with pytest.raises(Refused, match="points to another address") as caught:
            Connection(there.address, TOKEN).post("projects.info", {}, repeatable=repeatable)
        assert len(there.asked) == 1
        assert other.asked == []
    assert caught.value.found == f"status {status} to projects.info: {other.address}"
    assert caught.value.remedy == f"If you trust it, set SERVER_ADDRESS to {other.address}"


@pytest.mark.parametrize(
    ("location", "shown", "remedy"),
    [
        ("https://sly.example/public/api/v3/m/", "https://sly.example", "to https://sly.example"),
        ("https://sly.example/x/public/api/v3/m", "https://sly.example", "https://sly.example/x"),
        ("https://sso.example/login?key=hush#hush", "https://sso.example", "a login page"),
        ("https://hush:hush@sso.example:8443/login", "https://sso.example:8443", "a login page"),
        ("//sso.example/login", "http://sso.example", "a login page"),
        ("/login?next=hush", "{here}", "a login page"),
        ("/public/api/v3/m/", "{here}", "set SERVER_ADDRESS to {here}"),
        ("http://[hush", "without an address", "Check SERVER_ADDRESS"),
        (None, "without an address", "Check SERVER_ADDRESS"),
    ],
)
def test_where_an_answer_points_is_told_without_what_it_hides(
    location: str | None, shown: str, remedy: str
) -> None:
    headers = {} if location is None else {"Location": location}
    with answering(Answer(302, headers=headers)) as there:
        with pytest.raises(Refused) as caught:
            Connection(there.address, TOKEN).post("m", {})
        assert len(there.asked) == 1
    assert str(caught.value.found).endswith(shown.format(here=there.address))
    assert remedy.format(here=there.address) in caught.value.remedy
    assert "hush" not in str(caught.value)


def test_an_address_to_which_an_answer_points_repeats_no_token() -> None:
    url = f"https://{TOKEN}.example/{TOKEN}/public/api/v3/m"
    answer = Answer(302, headers={"Location": url})
    with answering(answer) as there, pytest.raises(Refused) as caught:
        Connection(there.address, TOKEN).post("m", {})
    assert TOKEN.lower() not in str(caught.value).lower()


# A password in the address


def test_a_login_in_the_address_is_used_and_shown_nowhere() -> None:
    with answering(as_json({"id": 1})) as there:
        line = Connection(with_login(there.address), TOKEN)
        assert line.post("projects.info", {}) == {"id": 1}
        (asked,) = there.asked
    assert asked.headers["Authorization"] == f"Basic {BASIC}"
    assert asked.headers["x-api-key"] == TOKEN
    assert asked.path == "/public/api/v3/projects.info"
    assert line.address == there.address.replace("://", "://***@")
    assert line.site == there.address
    assert not shown(repr(line), repr(vars(line)), line.address, line.site, pickle.dumps(line))


def shown(*texts: str | bytes) -> list[str]:
    """Return which secrets stand in texts."""
    found = [text if isinstance(text, str) else text.decode("latin-1") for text in texts]
    return [secret for secret in SECRETS if any(secret in text for text in found)]


def test_an_upload_past_a_login_shows_it_nowhere(
    platform: Platform, tmp_path: Path, state_home: Path, caplog: Any
) -> None:
    platform.token = TOKEN
    caplog.set_level("DEBUG")
    number = new_dataset(platform, new_project(platform))
    target = nk.Instance(Api(with_login(platform.address)), number)
    platform.faults.on("volumes.slices.bulk.add", "400")
    with pytest.raises(TargetError) as caught:
        land(write_volumes(tmp_path / "in"), target)
    texts = [str(caught.value), repr(vars(caught.value)), *caught.value._render_traceback_()]
    texts += [path.read_text() for path in state_home.rglob("*.jsonl")]
    assert platform.address.replace("://", "://***@") in texts[-1]
    receipt = land(tmp_path / "in", target)
    assert nk.verify(receipt, target).ok
    texts += [repr(receipt), receipt.to_json(), receipt._repr_html_(), repr(target), target.where]
    texts += [repr(vars(target)), caplog.text, repr(Places(Api(with_login(platform.address))))]
    assert not shown(*texts, pickle.dumps(target))
    assert target.where.startswith(f"{platform.address}/projects/")


def test_a_worker_takes_the_login_from_its_own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("API_TOKEN", TOKEN)
    with answering(as_json({"id": 1})) as there:
        sent = pickle.loads(pickle.dumps(Connection(with_login(there.address), TOKEN)))
        monkeypatch.setenv("SERVER_ADDRESS", there.address)
        with pytest.raises(TargetError, match="a worker has no token"):
            sent.post("projects.info", {})
        monkeypatch.setenv("SERVER_ADDRESS", with_login(there.address))
        sent.counting().post("projects.info", {})
        assert there.asked[0].headers["Authorization"] == f"Basic {BASIC}"


def test_a_login_of_netrc_is_used_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password kept\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with answering(as_json({"id": 1})) as there:
        Connection(there.address, TOKEN).post("projects.info", {})
        Connection(with_login(there.address), TOKEN).post("projects.info", {})
    sent = [asked.headers["Authorization"].split()[1] for asked in there.asked]
    assert [base64.b64decode(one) for one in sent] == [b"user:kept", f"user:{PASSWORD}".encode()]
    assert {asked.headers["x-api-key"] for asked in there.asked} == {TOKEN}


# Addresses and tokens that cannot be used


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("ftp://sly.example", "ftp://"),
        ("file:///etc/hosts", "file://"),
        ("http://ftp://sly.example", "more than scheme, host, port and path"),
        ("https://sly.example\r\nX: y", "a line end"),
        ("https://sly.exam\x1bple", "cannot be seen"),
        ("https://sly.exam\u202eple", "cannot be seen"),
        ("https://sly example", "a space"),
        ("https://", "a host or port"),
        ("", "a host or port"),
        ("https://sly.example:port", "a host or port"),
        ("https://sly.example:", "a host or port"),
        ("https://.example", "a host or port"),
        ("https://[::1", "a host or port"),
        ("https://sly.example?token=1", "more than scheme"),
        ("https://sly.example/#/projects", "more than scheme"),
        ("https://user:a/b@sly.example", "before the @"),
        ("user:a?b@sly.example", "before the @"),
        ("https://user:a://b@sly.example", "before the @"),
        ("user:a://b@sly.example", "before the @"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_before_anything_is_sent(
    address: str, found: str
) -> None:
    with pytest.raises(TargetError, match="no address of an instance") as caught:
        Connection(address, TOKEN)
    assert found in str(caught.value.found)
    assert "SERVER_ADDRESS" in caught.value.remedy
    assert "a/b" not in str(caught.value)
    assert "a?b" not in str(caught.value)
    assert "user" not in str(caught.value.path)
    assert not set("\r\n\x1b\u202e") & set(str(caught.value.path))
    assert not told_by(caught.value)


@pytest.mark.parametrize(
    ("given", "site"),
    [
        ("app.supervisely.com/", "https://app.supervisely.com"),
        (" https://app.supervisely.com\n", "https://app.supervisely.com"),
        ("HTTPS://sly.example/base//", "https://sly.example/base"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://user@sly.example", "https://sly.example"),
        ("https://münchen.example", "https://münchen.example"),
    ],
)
def test_an_address_is_taken_in_its_usual_forms(given: str, site: str) -> None:
    assert Connection(given, TOKEN).site == site


@pytest.mark.parametrize("token", ["", " \n", "a b", "a\nb", "a\x00b", "ключ", f"{TOKEN}\r\nx: y"])
def test_a_token_that_cannot_be_sent_is_told_and_not_shown(token: str) -> None:
    with pytest.raises(TargetError, match="the token cannot be sent") as caught:
        Connection("https://sly.example", token)
    assert "API_TOKEN" in caught.value.remedy
    assert not token.strip() or token.strip() not in str(caught.value)
    assert not told_by(caught.value)


def test_a_token_that_was_copied_with_its_line_end_is_taken_without() -> None:
    with answering(as_json({})) as there:
        Connection(there.address, f"  {TOKEN}\r\n").post("projects.info", {})
    assert there.asked[0].headers["x-api-key"] == TOKEN


def test_http_to_another_machine_is_a_warning_once() -> None:
    with pytest.warns(UserWarning, match=r"http://one\.example: .* unencrypted"):
        Connection("http://one.example", TOKEN)
    Connection("http://one.example", TOKEN).counting()
    with pytest.warns(UserWarning, match=r"http://\*\*\*@two\.example:80: ") as caught:
        Places(Api(with_login("http://two.example:80")))
    assert not shown(str(caught[0].message))


def test_a_warning_names_the_line_that_made_the_target() -> None:
    with pytest.warns(UserWarning, match=r"http://three\.example") as caught:
        Places(Api("http://three.example"))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_http_to_this_machine_is_none(host: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Connection(f"http://{host}:8000", TOKEN)


# Tracebacks, which some tools show with all variables


def frames_of(error: BaseException | None) -> Iterator[FrameType]:
    """Yield the functions of a traceback, and of those of all errors before it; tests' aside."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if "/tests/" not in trace.tb_frame.f_code.co_filename:
                yield trace.tb_frame
            trace = trace.tb_next
        yield from frames_of(error.__cause__)
        error = error.__context__


def told_by(error: BaseException) -> list[str]:
    """Return which variables of a traceback show a secret."""
    return [
        f"{frame.f_code.co_name}: {name}"
        for frame in frames_of(error)
        for name, value in frame.f_locals.items()
        if shown(text_of(value))
    ]


def text_of(value: Any) -> str:
    try:
        return repr(value)
    except AttributeError:  # not made yet: what raises is in its own making
        return ""


def test_a_variable_that_shows_a_secret_is_found() -> None:
    code = "def inner(token): raise KeyError\ntry: inner(T)\nexcept KeyError: raise OSError('x')"
    with pytest.raises(OSError, match="x") as caught:
        exec(code, {"T": TOKEN})
    assert "inner: token" in told_by(caught.value)


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


ECHO = as_json({"error": f"what is {TOKEN}? and {PASSWORD}?"}, 400)
ENDS: dict[str, Answer] = {
    "refusal": ECHO,
    "no permission": as_json({"error": "API token is not valid"}, 403),
    "redirect": Answer(302, headers={"Location": f"https://other.example/?{TOKEN}"}),
    "page": as_page(),
    "page with the token": Answer(200, f"<html>{TOKEN}".encode()),
    "cut": Answer(200, f'{{"{TOKEN}": '.encode()),
    "half": Answer(200, b"{", missing=9),
    "busy": Answer(503),
    "too many": Answer(429),
    "another shape": as_json([1]),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("repeatable", [True, False])
def test_no_variable_of_a_traceback_has_the_token(name: str, repeatable: bool) -> None:
    with answering(ENDS[name]) as there:
        line = Connection(with_login(there.address), TOKEN)
        with pytest.raises(TargetError) as caught:
            line.record("projects.info", {}, repeatable=repeatable)
    assert told_by(caught.value) == []
    assert len(list(frames_of(caught.value))) >= 2
    assert not shown(str(caught.value), repr(vars(caught.value)))


def test_no_variable_has_the_token_where_nobody_answers() -> None:
    line = Connection(with_login(f"http://127.0.0.1:{unused_port()}"), TOKEN)
    for repeatable in (True, False):
        with pytest.raises(TargetError, match="does not answer") as caught:
            line.post("projects.info", {}, repeatable=repeatable)
        assert told_by(caught.value) == []


@pytest.mark.parametrize("kind", ["death", "reset before", "reset after"])
def test_no_variable_has_the_token_where_the_connection_breaks(
    kind: str, platform: Platform
) -> None:
    platform.token = TOKEN
    for method, repeatable in (("teams.list", True), ("projects.add", False)):
        platform.faults.on(method, kind, times=1000)
        line = Connection(platform.address, TOKEN)
        with pytest.raises(TargetError) as caught:
            line.post(method, {}, repeatable=repeatable)
        assert told_by(caught.value) == []
        assert isinstance(caught.value, AnswerLost) or repeatable or kind == "death"
    platform.faults.clear()
    platform.restart()


def test_no_variable_has_the_token_where_a_person_stops_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(http.client.HTTPResponse, "begin", stopped)
    with answering(as_json({})) as there:
        line = Connection(with_login(there.address), TOKEN)
        with pytest.raises(KeyboardInterrupt) as caught:
            line.post("projects.info", {})
    assert "urlopen" in {frame.f_code.co_name for frame in frames_of(caught.value)}
    assert told_by(caught.value) == []


def no_token(_: str) -> Any:
    return token_here("https://sly.example")


def an_instance(address: str) -> Any:
    return Instance(Api(address), 1)


@pytest.mark.parametrize("make", [no_token, an_instance])
@pytest.mark.parametrize("server", ["https://other.example", "", "ftp://sly.example", "busy"])
def test_no_variable_has_the_token_where_a_target_or_a_worker_has_none(
    make: Callable[[str], Any], server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("API_TOKEN", TOKEN)
    with answering(Answer(503)) as there:
        address = there.address if server == "busy" else server
        if address.startswith("https"):
            address = with_login(there.address)
        monkeypatch.setenv("SERVER_ADDRESS", address)
        with pytest.raises(TargetError) as caught:
            make(address)
    assert told_by(caught.value) == []
    assert not shown(str(caught.value))


@pytest.mark.parametrize(
    "content", [b"API_TOKEN=\xff\xfe", f"API_TOKEN={TOKEN}\nX=\xff".encode("latin-1")]
)
def test_a_file_of_the_sdk_that_cannot_be_read_is_told(
    content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SERVER_ADDRESS", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "supervisely.env").write_bytes(content)
    with pytest.raises(TargetError, match="the SDK's file cannot be read") as caught:
        token_here("https://sly.example")
    assert told_by(caught.value) == []
    monkeypatch.setenv("SERVER_ADDRESS", "sly.example")
    monkeypatch.setenv("API_TOKEN", TOKEN)
    assert repr(token_here("https://sly.example")) == "***"  # the file is not needed then


@pytest.mark.usefixtures("sly")
@pytest.mark.parametrize("make", [api_from_env, Places.from_env, Instance.from_env])
@pytest.mark.parametrize("where", ["environment", "file"])
def test_no_variable_has_the_token_where_the_environment_does_not_say_all(
    make: Callable[[], Any], where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SERVER_ADDRESS", raising=False)
    if where == "environment":
        monkeypatch.setenv("API_TOKEN", TOKEN)
    else:
        monkeypatch.setenv("API_TOKEN", "")
        monkeypatch.delenv("API_TOKEN")
        (tmp_path / "supervisely.env").write_text(f"API_TOKEN={TOKEN}\n")
    with pytest.raises(TargetError, match="the address or the token") as caught:
        make()
    assert told_by(caught.value) == []
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("sly")
def test_no_variable_has_the_token_where_the_instance_of_the_environment_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("API_TOKEN", f"{TOKEN}\n")
    with answering(ECHO) as there:
        monkeypatch.setenv("SERVER_ADDRESS", with_login(there.address))
        with pytest.raises(TargetError) as caught:
            Instance.from_env(dataset_id=1)
        assert there.asked[0].headers["x-api-key"] == TOKEN
    assert told_by(caught.value) == []
    assert not shown(str(caught.value))


def test_a_secret_goes_to_no_other_process() -> None:
    secret = Secret(TOKEN, Address(with_login("https://sly.example")).login)
    assert not shown(repr(secret), str(secret), repr([secret]), repr(vars(secret)))
    with pytest.raises(TypeError, match="no other process") as caught:
        pickle.dumps(secret)
    assert told_by(caught.value) == []


# What an instance says


def refused_with(answer: Answer) -> str:
    with answering(answer) as there:
        with pytest.raises(Refused) as caught:
            Connection(with_login(there.address), TOKEN).post("projects.info", {})
        assert len(there.asked) == 1
    assert not set("\x1b\u202e\n\r") & set(str(caught.value))
    return str(caught.value.found)


@pytest.mark.parametrize("before", [0, 285, 290, 299, 300, 500])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_is_cut_is_hidden_first(secret: str, before: int) -> None:
    found = refused_with(as_json({"error": "x" * before + secret}, 400))
    assert secret[:4] not in found
    assert ("***" in found) == (before < 299)


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"error": "a\x1b[31mb\u202ec\nd"}, 400),
        as_json({"error": "a", "details": {"message": "\x1b[31m\u202e\n"}}, 400),
        as_json("a\x1b[31mb\u202ec\nd", 400),
        as_json(["\x1b", "\u202e"], 400),
    ],
)
def test_what_an_instance_says_is_shown_escaped(answer: Answer) -> None:
    assert r"\x1b" in refused_with(answer)
    assert r"\u202e" in refused_with(answer)


def test_the_reason_line_is_cleaned_and_cut_too() -> None:
    found = refused_with(Answer(400, b"", reason=f"no\x1b[31m {TOKEN} " + "x" * 400))
    assert found.startswith(r"status 400 to projects.info: no\x1b[31m *** xxx")
    assert len(found) < 350


def test_a_page_that_refuses_is_told_by_its_reason() -> None:
    assert refused_with(as_page(403)) == "status 403 to projects.info: Forbidden"


def test_the_platform_is_reached_as_ever(platform: Platform) -> None:
    number = new_dataset(platform, new_project(platform))
    assert nk.Instance(api(platform), number).volumes() == ()
