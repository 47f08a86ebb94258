"""The command that receives the gateway's callbacks."""

from __future__ import annotations

import signal
from contextlib import suppress
from urllib.parse import urlsplit

import click

from esms_frames.apps.receiver.app import callbacks_app
from esms_frames.apps.receiver.server import server_of
from esms_frames.base.addresses import is_loopback
from esms_frames.base.errors import InvalidInput
from esms_frames.base.language.catalogue import phrase
from esms_frames.journal.journal import Journal
from esms_frames.messages.message import PLACEHOLDER


@click.command("callbacks", short_help="Receive what the gateway reports of sent messages.")
@click.option("--journal", metavar="FILE", help="The journal of `send`; by default ESMS_JOURNAL, or the user's own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of this machine to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8645, show_default=True, help="0 for any free port.")
@click.option("--public-url", metavar="URL", help="How the gateway reaches this: 'https://hooks.example.vn/esms'.")
def callbacks(journal: str | None, host: str, port: int, public_url: str | None) -> None:
    """Receive the gateway's callbacks and write them into the journal, until Ctrl-C; `track` uses them.

    They come to messages whose callback_url ends in /{token}; `send` puts a token of the campaign there, and without one
    nothing is taken.
    """
    public = None if public_url is None else _check_url(public_url)
    app = callbacks_app(Journal(journal))
    server = server_of(app, host, port)
    here = f"http://{f'[{host}]' if ':' in host else host}:{server.effective_port}"
    click.echo(phrase("Callbacks are received at {here}. Make messages with", here=here) + "\n")
    click.echo(f'  ef.Message(…, callback_url="{public or here}/{PLACEHOLDER}")\n')
    if not is_loopback(host):
        click.echo(
            phrase(
                "Warning: this is open to the network and not encrypted: put a web server with TLS in front "
                "of it, and listen on 127.0.0.1."
            ),
            err=True,
        )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as services are stopped
    with suppress(KeyboardInterrupt):  # it may come before the server runs, which takes it from then on
        click.echo(phrase("Press Ctrl-C to stop it."))
        server.run()
    server.close()
    signal.signal(signal.SIGTERM, before)
    app.close()
    answered = ", ".join(f"{count:,} with {status}" for status, count in app.counts.items())
    click.echo(
        "\n"
        + phrase(
            "Stopped. Answered: {answered}; commits: {commits}.", answered=answered or "nothing", commits=app.commits
        )
    )


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment or "{" in url)
        )
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(
            "--public-url is no http or https address without a query: write it like https://hooks.example.vn/esms."
        )
    return url.rstrip("/")
