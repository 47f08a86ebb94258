"""From a DataFrame of phone numbers to SMS sent through eSMS (esms.vn), and back: every row says what became of it.

Public is what ``__all__`` names: the names in the stub beside this file, each loaded when it is first used. Every folder
below is internal.
"""

import lazy_loader

from esms_frames.apps import accessor as _accessor  # noqa: F401 - registers df.esms and series.esms

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
