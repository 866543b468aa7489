"""python-gsmmodem-new, imported once for the tests here.

Its sources have invalid escape sequences. Where nobody has compiled it before, the interpreter says so under the path
of the file, which the filter for `gsmmodem.*` in pyproject.toml does not match.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from gsmmodem import exceptions, modem, pdu
    from gsmmodem import serial_comms as comms

__all__ = ["comms", "exceptions", "modem", "pdu"]
