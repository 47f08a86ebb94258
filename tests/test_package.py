"""The package as a whole: its public names, its layers, and what importing it costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import esms_frames as ef

ROOT = Path(ef.__file__).parent

# From the top down; a module may import only from those below it. `sandbox` stands beside the client that it answers.
LAYERS = """
__init__
cli
cli_callbacks cli_people
cli_options
accessor widgets.send_form widgets.results_view
widgets.gateway_section widgets.recipients_section widgets.message_section widgets.check_section widgets.send_section\
 widgets.result_section
widgets.results_labels widgets.facets widgets.download widgets.tracking_note
widgets.sentences widgets.fields widgets.draft widgets.listing widgets.connection widgets.background
widgets widgets.labels widgets.markup
files
sandbox sandbox.app sandbox.caller sandbox.faults sandbox.gateway sandbox.outcomes sandbox.reading sandbox.registry\
 sandbox.state sandbox.tariff
callback_server
receiver
plots
analysis
tracking
asking tracked
deliveries
callbacks
campaign preview
journal
streaming
survey outcomes
account pieces
planning
preflight
settling
delivery
allocation
ledger
batch runs history do_not_contact erasure callback_store
schema
database
postgres
postgres_connection transaction
client
transport
reports checks
wire
order
consent results plan
preparation
shuffle
large
audience
overview
number_list callback
detection
message
templates personal
phones
second_look
first_look
national cells
problem
numbering columns number_set sets pace
errors threads
clock
"""
DEPTH = {module: depth for depth, layer in enumerate(LAYERS.split("\n")) for module in layer.split()}


def modules():
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "esms_frames":
            below = node.module.removeprefix("esms_frames").lstrip(".")
            known = modules()
            for alias in node.names:
                yield next(name for name in (f"{below}.{alias.name}".lstrip("."), below or "__init__") if name in known)


def test_every_module_has_a_layer():
    assert sorted(DEPTH) == sorted(modules())


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_only_downwards(name):
    for other in imported(modules()[name]):
        package = name.split(".")[0]
        assert DEPTH[other] > DEPTH[name] or other.split(".")[0] == package, f"{name} imports {other}"


@pytest.mark.parametrize(
    "name",
    (
        "phones cells first_look second_look national problem numbering message audience wire detection reports templates "
        "consent number_list personal order callback tracked deliveries checks"
    ).split(),
)
def test_the_core_touches_neither_network_nor_disk(name):
    tree = ast.parse(modules()[name].read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name.split(".")[0] for name in names} & {
        "requests",
        "urllib3",
        "socket",
        "pathlib",
        "os",
        "io",
        "sqlite3",
    }
    assert "open" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_public_names_are_there_and_documented():
    assert len(set(ef.__all__)) == len(ef.__all__)
    for name in ef.__all__:
        found = getattr(ef, name)
        assert inspect.getdoc(found), name
        if inspect.isclass(found):
            for attribute, member in vars(found).items():
                if not attribute.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                    assert inspect.getdoc(getattr(found, attribute)), f"{name}.{attribute}"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nope"):
        _ = ef.nope
    assert "Sandbox" in dir(ef)


@pytest.mark.parametrize(
    "first",
    ["ef.send", "ef.results", "ef.plan", "ef.Plan", "ef.Sandbox", "ef.prepare", "from esms_frames.cli import main"],
)
def test_results_is_the_function_whatever_was_loaded_first(first):
    code = f"import esms_frames as ef; {first}; print(callable(ef.results), callable(ef.plan))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "True True"


def test_importing_brings_no_web_server_no_widgets_and_no_plots_along():
    heavy = set("werkzeug sqlalchemy tqdm stamina ipywidgets matplotlib phonenumbers click xlsxwriter".split())
    code = f"import sys, esms_frames; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_package_is_typed():
    assert (ROOT / "py.typed").exists()
