"""Answers that the sandbox gives to nobody who asks properly."""

from __future__ import annotations

import threading


class Judge:
    """Let a client refuse or fail some batches: answers that the sandbox gives to nobody who asks properly.

    `verdicts` holds, for batches of `many` counted from 0, what each attempt meets; the last holds for all further ones,
    and None lets an attempt pass.
    """

    def __init__(self, client, monkeypatch, size=5000):
        self.verdicts = {}
        self.calls = []
        self._lock = threading.Lock()
        real = client.send

        def judged(message, phones, **options):
            with self._lock:
                batch = int(phones[0][2:]) // size
                attempt = self.calls.count(batch)
                self.calls.append(batch)
            verdicts = self.verdicts.get(batch, [None])
            verdict = verdicts[min(attempt, len(verdicts) - 1)]
            if verdict is not None:
                raise verdict
            return real(message, phones, **options)

        monkeypatch.setattr(client, "send", judged)
