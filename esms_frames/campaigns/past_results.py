"""Rebuild the results of past campaigns from the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from esms_frames.campaigns.outcomes import _found, _opened, gather_outcomes, rebuild_results
from esms_frames.gateway.client import check_client
from esms_frames.journal.database.address import hide
from esms_frames.messages.limits import check_campaign
from esms_frames.recipients.prepare import take_audience

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable

    import pandas as pd

    from esms_frames.gateway.client import Client
    from esms_frames.journal.journal import Journal
    from esms_frames.recipients.audience import Audience
    from esms_frames.recipients.large.audience import LargeAudience


def results(
    campaign: str,
    data: pd.DataFrame | Audience | LargeAudience | None = None,
    *,
    journal: Journal | str | os.PathLike[str] | None = None,
    client: Client | None = None,
    phone: Hashable | None = None,
    by: Any = None,
    exclude: Any = None,
) -> pd.DataFrame:
    """Rebuild the results of any past campaign from the journal; nothing is sent or asked.

    Parameters
    ----------
    campaign : str
        The campaign's name.
    data : DataFrame, Dask DataFrame, Audience or LargeAudience, optional
        The customers again, to have a row for each of theirs; of Dask's, results are Dask's too. Without it there is a row
        for each number of the campaign.
    journal : Journal, str or path-like, optional
        As for `send`.
    client : Client, optional
        Whose campaign it is, where several gateways or accounts have one of the name. Without it, a live campaign goes
        before rehearsals on sandboxes, and of these the latest is meant.
    phone, by, exclude : optional
        As for `prepare`, when `data` is a DataFrame.

    Returns
    -------
    DataFrame
        As `send` returns it; what the campaign has sent, whenever that was, is ``accepted``. Numbers of `data` that are
        not in the campaign are ``not_sent``.

    Raises
    ------
    InvalidInput
        When the journal has no such campaign, or several and `client` does not say which.

    Warns
    -----
    SentOtherwiseWarning
        When rows are in the campaign under another segment than in `data`; how many, in a sentence.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> with ef.Sandbox() as sandbox:
    ...     message = ef.Message("Cam on quy khach!", "Baotrixemay")
    ...     sent = ef.send(customers, message, sandbox.client(), campaign="July", progress=False)
    >>> again = ef.results("July", customers)
    >>> bool((again["sms_id"] == sent["sms_id"]).all())
    True
    """
    journal = hide(journal)
    if client is not None:
        check_client(client)
    audience = None
    if data is not None:
        audience = take_audience(data, or_nothing=True, phone=phone, by=by, exclude=exclude)
    book = _opened(journal)
    scope = _found(book, check_campaign(campaign), client)
    found = rebuild_results(audience, scope, gather_outcomes(book._batches, scope))
    return cast("pd.DataFrame", found)  # or Dask's, which has no types and is used like pandas'
