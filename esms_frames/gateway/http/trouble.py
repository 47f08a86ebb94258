"""Explain what went wrong on the way to the gateway, and what to do; pure."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.exceptions import MaxRetryError

from esms_frames.base.errors import BadAnswer, NoAnswer, Unreachable
from esms_frames.base.wording import Sentence, shown
from esms_frames.gateway import decode
from esms_frames.gateway.http.connection import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from esms_frames.gateway.decode import Mask


_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})\b")
_LOGIN_WANTED = 407


@dataclass(frozen=True)
class Route:
    """The route of a request by this machine's settings.

    Attributes
    ----------
    where : str
        The gateway's host, with a port where one is given.
    proxies : mapping of str to str
        The proxies of the environment, by scheme; they may hold passwords.
    proxy : str or None
        Which of them is taken.
    ca_bundle : str or None
        The file or folder of certificates to be trusted, where the environment names one.
    ca_variable : str
        By which name it does.
    """

    where: str
    proxies: Mapping[str, str]
    proxy: str | None
    ca_bundle: str | None
    ca_variable: str

    def __repr__(self) -> str:
        return f"<Route to {self.where}>"

    @property
    def proxy_name(self) -> str:
        """The proxy's host and port, without a password."""
        try:
            parts = urlsplit(self.proxy or "")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return ""
        return f"{name}:{port}" if port else name


def judge_unreachable(route: Route, stage: Stage, error: Exception) -> Unreachable:
    """Build the error for a request of which certainly nothing has left, by the stage that it reached."""
    chain = list(_chain(error))
    if stage is Stage.PREPARED:
        return _judge_settings(route, chain)
    if stage is Stage.SECURING:
        return _judge_tls(route, chain)
    if stage is Stage.TUNNELLING:
        return _judge_tunnel(route, chain)
    if route.proxy:
        return Unreachable(
            "The proxy {proxy} can't be reached ({cause}), so nothing was sent: check HTTPS_PROXY and the "
            "network, then try again.",
            proxy=route.proxy_name,
            cause=_cause(error),
        )
    return _no_connection(route, error)


def _no_connection(route: Route, error: Exception) -> Unreachable:
    return Unreachable(
        "No connection to {where} ({cause}), so nothing was sent: check the network and the address, then try again.",
        where=route.where,
        cause=_cause(error),
    )


def _judge_settings(route: Route, chain: list[BaseException]) -> Unreachable:
    if route.ca_bundle and not Path(route.ca_bundle).exists():
        return _bad_bundle(route)
    if route.proxy and route.proxy.lower().startswith("socks"):
        return Unreachable(
            "The proxy of this machine's settings is a SOCKS proxy, for which a package is missing, so nothing was sent: "
            "pip install pysocks.",
            is_lasting=True,
        )
    if route.proxy:
        return Unreachable(
            "The proxy's address in this machine's settings can't be used, so nothing was sent: correct HTTPS_PROXY, "
            "written like http://host:port, or unset it.",
            is_lasting=True,
        )
    error = chain[0]
    return _no_connection(route, error if isinstance(error, Exception) else Exception())


def _bad_bundle(route: Route) -> Unreachable:
    return Unreachable(
        "{name} is {file}, which holds no certificates, so nothing was sent: set it to a file of CA "
        "certificates (PEM), or unset it.",
        is_lasting=True,
        name=route.ca_variable,
        file=shown(route.ca_bundle),
    )


def _judge_tunnel(route: Route, chain: list[BaseException]) -> Unreachable:
    refused = next((found[1] for error in chain if (found := _TUNNEL_REFUSED.search(str(error)))), None)
    if refused is None:
        return Unreachable(
            "The proxy {proxy} broke off before there was a way to {where}, so nothing was sent: check "
            "HTTPS_PROXY, then try again.",
            proxy=route.proxy_name,
            where=route.where,
        )
    if int(refused) == _LOGIN_WANTED:
        return Unreachable(
            "The proxy {proxy} wants a user name and a password (HTTP {status}), so nothing was sent: set "
            "HTTPS_PROXY to http://user:password@host:port.",
            is_lasting=True,
            proxy=route.proxy_name,
            status=refused,
        )
    return Unreachable(
        "The proxy {proxy} refused the way to {where} (HTTP {status}), so nothing was sent: ask those who "
        "run it to allow it, or add the host to NO_PROXY if there is another way.",
        is_lasting=int(refused) < 500,
        proxy=route.proxy_name,
        where=route.where,
        status=refused,
    )


def _judge_tls(route: Route, chain: list[BaseException]) -> Unreachable:
    verdict = next((error for error in chain if isinstance(error, ssl.SSLCertVerificationError)), None)
    if verdict is not None:
        return Unreachable(_of_certificate(route, verdict), is_lasting=True)
    reason = next((error.reason for error in chain if isinstance(error, ssl.SSLError) and error.reason), None)
    if reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return _bad_bundle(route)
    return Unreachable(
        "No secure connection to {where} ({cause}), so nothing was sent: check the address, and whether a "
        "proxy or a firewall breaks TLS off, then try again.",
        where=route.where,
        cause=reason or _name(chain[-1]),
    )


def _of_certificate(route: Route, verdict: ssl.SSLCertVerificationError) -> Sentence:
    """Explain what is wrong with a certificate."""
    match verdict.verify_code:
        case 10:  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
            return Sentence(
                "The certificate of {where} has expired, so nothing was sent: set this machine's clock if it is wrong, "
                "else tell those who run that server.",
                where=route.where,
            )
        case 9:  # X509_V_ERR_CERT_NOT_YET_VALID
            return Sentence(
                "The certificate of {where} is not valid yet, so nothing was sent: set this machine's clock if it is "
                "wrong, else tell those who run that server.",
                where=route.where,
            )
        case 62 | 64:  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return Sentence(
                "The certificate that came from {where} is another host's, so nothing was sent: check base_url, and "
                "whether a login page or a proxy of your network answers in its place.",
                where=route.where,
            )
        case 18:  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
            return Sentence(
                "The certificate of {where} is self-signed, so nothing was sent: behind a company's proxy, set "
                "REQUESTS_CA_BUNDLE to a file with the company's CA certificate, which its IT has.",
                where=route.where,
            )
    return Sentence(
        "The certificate of {where} is signed by none whom this machine trusts, so nothing was sent: behind a company's "
        "proxy, set REQUESTS_CA_BUNDLE to a file with the company's CA certificate, which its IT has.",
        where=route.where,
    )


def judge_silence(route: Route, error: Exception, *, is_send: bool) -> NoAnswer:
    """Build the error for a request that may have left, and got no answer."""
    way_out = decode.UNCERTAIN if is_send else decode.ASK_AGAIN
    if any(isinstance(cause, TimeoutError) for cause in _chain(error)):
        return NoAnswer(
            "{where} did not answer in time ({cause}): {way_out_text}",
            where=route.where,
            cause=_cause(error),
            way_out_text=way_out,
        )
    return NoAnswer(
        "{where} did not answer ({cause}): {way_out_text}", where=route.where, cause=_cause(error), way_out_text=way_out
    )


def judge_redirect(route: Route, status: int, location: str, mask: Mask) -> BadAnswer:
    """Build the error for an answer that names another address."""
    target = decode.excerpt_of(location.partition("?")[0], mask)
    return BadAnswer(
        "{where} redirects to {target} (HTTP {status}), which is not followed, for your keys would go there: "
        "set base_url to that address if eSMS names it, or log in to your network if it is a login page.",
        status,
        target,
        where=route.where,
        target=repr(target),
        status=status,
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes, and the errors in its arguments."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            todo += [*one.args, getattr(one, "reason", None), getattr(one, "original_error", None)]
            todo += [one.__cause__, one.__context__]


def _cause(error: Exception) -> str:
    """Return the name of the cause without its text, which may hold secrets."""
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return _name(reason if isinstance(reason, Exception) else error)


def _name(error: BaseException) -> str:
    return type(error).__name__
