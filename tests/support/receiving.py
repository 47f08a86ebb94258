"""Run the receiver of callbacks in this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from waitress import wasyncore

import esms_frames as ef
from esms_frames.apps.receiver.server import server_of


@contextmanager
def receiving(journal):
    """Receive callbacks into a journal; the port, and the application."""
    app = ef.callbacks_app(journal)
    server = server_of(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield int(server.effective_port), app
    finally:
        with server.trigger.lock:  # else another pull could let it be closed before it is pulled here
            server.trigger.thunks.append(lambda: wasyncore.close_all(server._map))
            server.trigger.pull_trigger()
        thread.join()
        server.task_dispatcher.shutdown()
        app.close()
