"""What the radio standards say about a short message: alphabet, parts, addresses, headers, PDUs and outcomes.

Pure: no I/O, no clock, no randomness, no threads. Names are imported from the modules: `alphabet` (23.038 §6),
`segments` (how a text is cut), `address`, `timestamps`, `coding` (TP-DCS), `udh` (user-data header, WAP push), `pdu`
(SMS-SUBMIT, SMS-DELIVER, SMS-STATUS-REPORT) and `outcome` (TP-ST, +CMS ERROR and +CME ERROR).

Whatever the bytes or the request, the one error that leaves this package is `PduError`.
"""

from __future__ import annotations

__all__ = ["PduError"]


class PduError(ValueError):
    """The one error of this package: bytes or a request that the standard cannot express or read.

    Its text is a sentence for a person. It never holds the message's text, only single characters of it.
    """
