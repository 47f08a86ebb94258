"""Peers of a connection that do what a test tells them, and certificates for them."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from contextlib import suppress

from support.programs import needs


class Peer:
    """A server that gives each connection to a function, in a thread, and keeps what the connections received."""

    def __init__(self, behave, context=None):
        self.received = []
        self._behave, self._context = behave, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(1)

    def url(self, host="127.0.0.1"):
        return f"http{'s' if self._context else ''}://{host}:{self.port}/"

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._deal_with, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _deal_with(self, connection):
        with suppress(OSError):
            connection.settimeout(10)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            try:
                self._behave(Conversation(connection, self.received))
            finally:
                connection.close()


class Conversation:
    """One connection, of which what is read is kept."""

    def __init__(self, connection, received):
        self.connection, self.received = connection, received

    def read(self, most=65536):
        part = self.connection.recv(most)
        self.received.append(part)
        return part

    def request(self):
        """Read a whole request; empty at the end of the connection."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (part := self.read()):
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < sum(lengths):
            body += self.read()
        return head + b"\r\n\r\n" + body

    def say(self, text):
        self.connection.sendall(text)

    def reset(self):
        """Close with a reset instead of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def secure(self, context):
        """Go on as a TLS server."""
        self.connection = context.wrap_socket(self.connection, server_side=True)


def answer(body=b'{"CodeResult":"100","SMSID":"s-1"}', status="200 OK", headers=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Authority:
    """A made-up certificate authority in a folder."""

    def __init__(self, folder):
        self._folder = folder
        self.file = folder / "ca.pem"
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
            "email_in_dn=no\nunique_subject=no\n[p]\ncommonName=supplied\n",
            encoding="utf-8",
        )
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n", encoding="utf-8")
        self._openssl(
            *"req -x509 -newkey rsa:2048 -nodes -days 3650 -keyout ca.key -out ca.pem -subj".split(), "/CN=Made-up CA"
        )
        self._openssl(*"req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=made-up".split())

    def _openssl(self, *arguments):
        subprocess.run([needs("openssl"), *arguments], cwd=self._folder, check=True, capture_output=True)

    def serve_as(self, name, first="20200101000000Z", last="20990101000000Z"):
        """Make the context of a TLS server with a certificate for a name, from one moment to another."""
        kind = "IP" if name[0].isdigit() else "DNS"
        (self._folder / "names.ext").write_text(f"subjectAltName={kind}:{name}\n", encoding="utf-8")
        self._openssl(
            *"ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in request.pem -extfile names.ext".split(),
            *f"-startdate {first} -enddate {last} -out cert.pem".split(),
        )
        return self._context("cert.pem", "key.pem")

    def serve_as_itself(self):
        """Make the context of a TLS server whose certificate nobody else has signed."""
        return self._context("ca.pem", "ca.key")

    def _context(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / certificate, self._folder / key)
        return context
