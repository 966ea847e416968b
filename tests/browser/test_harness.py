"""The harness can fail: what the other tests assert to be absent is seen when it is there."""

from __future__ import annotations

import sys

import nbformat
import pytest

from .chrome import kernel_message
from .opened import CellFailed, Opened, notebook_of, set_parameters
from .serving import CHECKOUT

SCRIPT = "from IPython.display import HTML\nHTML('<img src=x onerror=\"alert(7)\">')"

REQUEST = 'HTML(\'<img src="http://203.0.113.5/p.png"><img src="https://cdn.example.org/a.png">\')'

BUTTON = """import ipywidgets
button = ipywidgets.Button(description='Divide').add_class('nk-divide')
button.on_click(lambda _: 1 / 0)
button"""

THREAD = """import threading
thread = threading.Thread(target=lambda: 2 / 0)
thread.start()
thread.join()"""

FAILING = "raise ValueError('no such folder')"


def kernels(server):
    """The files by which the kernels of a server can be reached: each is removed at its end."""
    return list((server.runs.root.parent / "home").glob("**/kernel-*.json"))


def test_scripts_requests_and_failures_are_seen_in_lab(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("NIFTI_KIT_SHOTS", str(tmp_path / "shots"))
    notebook = lab.open(notebook_of(SCRIPT, REQUEST, BUTTON, THREAD, FAILING, "print('not run')"))
    assert (notebook.alerts, notebook.requests_elsewhere, notebook.kernel_errors) == ([], [], [])
    with pytest.raises(CellFailed) as failed:
        notebook.run_all()
    assert str(failed.value) == f"ValueError: no such folder\nin the cell [5]:\n{FAILING}"
    notebook.find(".nk-divide").click()
    notebook.wait_for(lambda: len(notebook.kernel_errors) == 2)
    notebook.wait_for(lambda: notebook.alerts)
    assert notebook.alerts == ["7"]
    assert sorted(set(notebook.requests_elsewhere)) == [
        "http://203.0.113.5/p.png",
        "https://cdn.example.org/a.png",
    ]
    in_thread, in_button = notebook.kernel_errors
    assert "thread = threading.Thread" not in in_button
    assert in_thread.startswith("Exception in thread ")  # its end may come in a message of its own
    assert in_button == "ZeroDivisionError: division by zero"
    assert any("ERR_" in text and "cdn.example.org" in text for text in notebook.console_errors)
    assert [cell["count"] for cell in notebook.cells()] == [1, 2, 3, 4, 5, None]
    picture = notebook.screenshot("harness")
    assert picture == tmp_path / "shots" / "harness.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_scripts_requests_and_callbacks_are_seen_in_voila(voila):
    app = voila.open(notebook_of(SCRIPT, REQUEST, BUTTON))
    app.find(".nk-divide").click()
    app.wait_for(lambda: app.kernel_errors)
    app.wait_for(lambda: app.alerts)
    assert app.alerts == ["7"]
    assert len(set(app.requests_elsewhere)) == 2
    assert app.kernel_errors == ["ZeroDivisionError: division by zero"]
    assert app.screenshot("harness").stat().st_size > 0
    assert len(kernels(voila)) == 1
    voila.close_all()
    assert kernels(voila) == []


def test_a_failing_cell_is_seen_in_voila(voila):
    with pytest.raises(CellFailed, match="ValueError: no such folder"):
        voila.open(notebook_of("1", FAILING, "2"))


def test_the_kernel_has_the_package_of_the_checkout_and_a_folder_of_its_own(lab):
    lines = (
        "import nifti_kit, sys\nfrom pathlib import Path\nX = 1",
        "Path('../out').mkdir()\nPath('../out/x').write_text(str(X))",
    )
    notebook = notebook_of(*lines)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    opened = lab.open(notebook, X=tuple("ab"))
    opened.run_all()
    assert (opened.out / "x").read_text() == "('a', 'b')"
    asked = "print(nifti_kit.__file__, sys.executable, Path('../data_samples').resolve(), sep='|')"
    package, python, samples = opened.run_cell(asked).strip().split("|")
    assert package == str(CHECKOUT / "nifti_kit" / "__init__.py")
    assert python == sys.executable
    assert samples == str(opened.folder.parent / "data_samples")
    assert not opened.folder.is_relative_to(CHECKOUT)
    with pytest.raises(CellFailed, match="NameError"):
        opened.run_cell("missing")
    again = lab.open(notebook_of("assert open('../out/x').read()"), folder=opened.folder)
    again.run_all()
    assert again.run_cell("print('nifti_kit' in globals())").strip() == "False"
    assert len(kernels(lab)) == 1
    lab.close_all()
    assert kernels(lab) == []


def test_a_wait_ends_with_what_was_waited_for(chrome, tmp_path):
    opened = Opened(chrome, "127.0.0.1", tmp_path / "notebooks" / "x.ipynb", tmp_path)
    with pytest.raises(TimeoutError, match=r"not within 0.2 s: pigs fly"):
        opened.wait_for(lambda: False, "pigs fly", seconds=0.2)
    with pytest.raises(Exception, match=r"not within 0.2 s"):
        opened.await_("() => new Promise(() => {})", 0.2)
    opened.page.context.close()


def test_parameters_are_set_behind_their_defaults():
    notebook = notebook_of("import os\n\nA = os.environ.get('A', 'x')\nB: int = 2")
    with pytest.raises(ValueError, match="0 cells have the tag 'parameters'; expected one"):
        set_parameters(notebook, {"A": 1})
    notebook.cells[0].metadata["tags"] = ["parameters"]
    with pytest.raises(ValueError, match=r"no parameters of this notebook: \['C'\]; it has \['A'"):
        set_parameters(notebook, {"C": 1})
    set_parameters(notebook, {"B": "<b>'"})
    assert notebook.cells[0].source.splitlines()[-2:] == ["B: int = 2", 'B = "<b>\'"']
    nbformat.validate(notebook)


def test_a_message_is_read_from_both_protocols():
    parts = [b"iopub", b'{"msg_type":"error"}', b"{}", b"{}", b'{"ename":"E"}', b"\0\1"]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    frame = b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)
    message = kernel_message(frame)
    assert message["header"] == {"msg_type": "error"}
    assert message["content"] == {"ename": "E"}
    assert kernel_message('{"header": {}}') == {"header": {}}


def test_a_notebook_has_its_own_theme_and_not_that_of_the_one_before(lab):
    shown = []
    for options in ({"theme": "dark"}, {}):
        page = lab.open(notebook_of("1"), **options).page
        shown.append(page.evaluate("() => document.body.dataset.jpThemeName"))
        lab.close_all()
    assert shown == ["JupyterLab Dark", "JupyterLab Light"]
