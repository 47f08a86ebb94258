"""The command that receives the gateway's callbacks."""

from __future__ import annotations

import signal
from urllib.parse import urlsplit

import click

from esms_frames.callback_server import server_of
from esms_frames.errors import InvalidInput
from esms_frames.journal import Journal
from esms_frames.message import PLACEHOLDER
from esms_frames.receiver import callbacks_app
from esms_frames.transport import is_loopback


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
    public = None if public_url is None else _checked_url(public_url)
    app = callbacks_app(Journal(journal))
    server = server_of(app, host, port)
    here = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    click.echo(f"Callbacks are received at {here}. Make messages with\n")
    click.echo(f'  ef.Message(…, callback_url="{public or here}/{PLACEHOLDER}")\n')
    if not is_loopback(host):
        click.echo(
            "Warning: this is open to the network and not encrypted: put a web server with TLS in front of it, and listen "
            "on 127.0.0.1.",
            err=True,
        )
    click.echo("Press Ctrl-C to stop it.")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as services are stopped
    server.serve_forever()  # until Ctrl-C
    signal.signal(signal.SIGTERM, before)
    app.close()
    answered = ", ".join(f"{count:,} with {status}" for status, count in app.counts.items())
    click.echo(f"\nStopped. Answered: {answered or 'nothing'}; commits: {app.commits:,}.")


def _checked_url(url: str) -> str:
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
