"""Plan what a send would do, whatever it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esms_frames.campaigns.decisions.order import take_order
from esms_frames.campaigns.pending import find_pending
from esms_frames.campaigns.preview.forecast import plan_order, scope_of
from esms_frames.gateway.client import check_client
from esms_frames.journal.database.address import hide
from esms_frames.journal.journal import Journal

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Hashable, Mapping

    import pandas as pd

    from esms_frames.campaigns.preview.report import Plan
    from esms_frames.gateway.client import Client
    from esms_frames.messages.message import Message
    from esms_frames.recipients.audience import Audience
    from esms_frames.recipients.large.audience import LargeAudience


def plan(
    data: pd.DataFrame | Audience | LargeAudience,
    message: Message | Mapping[Any, Message],
    client: Client | None = None,
    *,
    campaign: str | None = None,
    phone: Hashable | None = None,
    by: Any = None,
    exclude: Any = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    rules_off: Collection[str] = (),
    rules_on: Collection[str] = (),
) -> Plan:
    """Plan what `send` would do with the same arguments, what it would cost, and what would make it fail.

    Nothing is sent, and nothing written but whose account the key is, into a journal that is made where there is none.

    Parameters
    ----------
    data, message
        As for `send`. An audience larger than memory is gone through a million numbers at a time.
    client : Client, optional
        The gateway that is asked for price, balance, registered brandnames and templates. Without one, these are not
        known, and what the campaign has sent is that of its one live account.
    campaign, phone, by, exclude, journal, rules_off, rules_on
        As for `send`.

    Returns
    -------
    Plan
        ``rows``, ``recipients``, ``rejected``, ``batches``, ``encoding``, ``parts``, ``total_parts``, ``price``,
        ``balance``, ``window``, ``warnings``, ``problems`` and ``messages``.

    Raises
    ------
    InvalidInput, JournalError
        As for `send`, when something handed in can't be used. Too few recipients are one of the plan's ``problems``.

    Notes
    -----
    The price is the gateway's: of customer care, its price for one number of each network times how many there are; of
    advertising, the sum over the batches, or over 20 of them if there are more, scaled. It has the last word when it sends.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> message = ef.Message("Cảm ơn quý khách đã mua hàng!", "Baotrixemay")
    >>> with ef.Sandbox() as sandbox:
    ...     plan = ef.plan(customers, message, sandbox.client())
    >>> plan.recipients, plan.parts, plan.price, plan.is_enough, plan.problems
    (40, 1, Decimal('34000.0000'), True, ())
    """
    journal = hide(journal)
    asked: dict[str, Any] = {"campaign": campaign, "phone": phone, "by": by, "exclude": exclude}
    asked |= {"rules_off": rules_off, "rules_on": rules_on}
    order = take_order(data, message, **asked)
    if client is not None:
        check_client(client)
    book = journal if isinstance(journal, Journal) else Journal(journal)
    batches = book._batches
    scope = scope_of(order.campaign, client, batches)
    return plan_order(order, find_pending(order, batches, scope), scope, client, batches)
