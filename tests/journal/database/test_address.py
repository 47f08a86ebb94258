"""`address`: where a journal is, and a password that no traceback shows, however verbose."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time

import pandas as pd
import pytest
import sqlalchemy as sa
from IPython.core.ultratb import VerboseTB
from rich.console import Console
from rich.traceback import Traceback
from support.customers import FIFTY
from support.programs import needs_postgres

import esms_frames as ef
from esms_frames.apps.forms.send_form import SendForm

SECRET = "hunter-made-up"


def address_with(**change):
    """Return an address with the secret in it: of a server that runs, where another password is all that is wrong."""
    url = sa.make_url("postgresql+psycopg://linh@127.0.0.1:1/esms" if change else needs_postgres().url())
    return url.set(password=SECRET).set(**change).render_as_string(hide_password=False)


class Uncoloured(Traceback):
    """A traceback by rich whose lines of code have no colours: working these out takes most of its time."""

    @classmethod
    def _guess_lexer(cls, filename, code):
        return "text"


def all_locals(error):
    """Show an error with the values of all names in the package and below, as verbose tools do, and all that led to it."""
    shown, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:  # whoever holds it here
            frames = frames.tb_next
        if frames is not None:
            out = io.StringIO()
            console = Console(file=out, width=200, no_color=True)
            console.print(
                Uncoloured.from_exception(
                    type(error), error, frames, show_locals=True, locals_max_string=None, locals_max_length=None
                )
            )
            shown += [
                out.getvalue(),
                VerboseTB(color_scheme="NoColor", include_vars=True).text(type(error), error, frames),
            ]
            while frames is not None:
                shown.append(repr({name: flat(value) for name, value in frames.tb_frame.f_locals.items()}))
                frames = frames.tb_next
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def flat(value):
    """Show a value as tools do that look into what is made of plain values."""
    return [flat(each) for each in value] if isinstance(value, (tuple, list)) else value


BAD = {
    "a wrong password": {},
    "no server": {"port": 1},
    "no such host": {"host": "no-such-host.invalid"},
    "an option that is none": {"query": {"no_such_option": SECRET}},
    "a password among the options": {"query": {"password": SECRET}},
    "another driver": {"drivername": "postgresql+nosuch"},
}
CUSTOMERS = pd.DataFrame({"sdt": FIFTY})
CLIENT = ef.Client("a", "b", base_url="http://127.0.0.1:1/")
MESSAGE = ef.Message("Cam on", "Baotrixemay")
DOORS = {
    "Journal": ef.Journal,
    "send": lambda journal: ef.send(CUSTOMERS, MESSAGE, CLIENT, journal=journal, progress=False),
    "accessor": lambda journal: CUSTOMERS.esms.send(MESSAGE, CLIENT, journal=journal, progress=False),
    "plan": lambda journal: ef.plan(CUSTOMERS, MESSAGE, journal=journal),
    "resume": lambda journal: ef.resume("Tet", CLIENT, journal=journal),
    "results": lambda journal: ef.results("Tet", journal=journal),
    "callbacks_app": ef.callbacks_app,
    "form": lambda journal: SendForm(journal=journal)._journal(),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("door", "change"),
    [
        *(
            pytest.param("Journal", BAD[name], id=f"Journal: {name}")
            for name in ("no server", "a password among the options", "another driver")
        ),
        *(
            pytest.param("Journal", BAD[name], marks=pytest.mark.heavy, id=f"Journal: {name}")
            for name in ("no such host", "an option that is none")
        ),
        pytest.param("send", BAD["another driver"], id="send: another driver"),
        *(
            pytest.param(door, BAD[name], marks=pytest.mark.heavy, id=f"{door}: {name}")
            for door in DOORS
            for name in ("a wrong password", "another driver")
            if (door, name) not in {("Journal", "another driver"), ("send", "another driver")}
        ),
    ],
)
def test_a_password_in_an_address_is_in_no_traceback_with_locals(door, change):
    with pytest.raises(ef.JournalError) as caught:
        DOORS[door](address_with(**change))
    shown = all_locals(caught.value)
    assert "JournalError" in shown
    assert SECRET not in shown


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_interrupt_while_it_connects_shows_no_password_either(script):
    """Of a server that takes the connection and says nothing."""
    script.answer = lambda _connection: time.sleep(2)
    port = int(script.url.rsplit(":", 1)[1].strip("/"))
    main = threading.main_thread().ident
    threading.Timer(1.0, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        ef.Journal(address_with(port=port))
    assert SECRET not in all_locals(caught.value)
