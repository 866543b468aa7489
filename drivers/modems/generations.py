"""Modems that know nothing but GSM, by what AT+CGMM answers: where an operator switches its 2G network off they fall
silent for good. From the makers' data sheets. Pure."""

from __future__ import annotations

import re

__all__ = ["only_2g"]

_MODELS = re.compile(
    r"\b(?:SIM_?(?:300|340|508|800|808|868|900|908)\w*"  # SIMCom
    r"|M(?:10|26|35|56|66|72|80|85|95)(?:[-_ ]?\w*)?"  # Quectel
    r"|MC(?:35|39|52|55|56)i?|TC(?:35|45|63|65)i?|BGS?\d\w*"  # Siemens, Cinterion
    r"|G[CEL]8[26][45]\w*|GE910\w*|GL865\w*"  # Telit
    r"|SARA-G\w*|LEON-G\w*"  # u-blox
    r"|Q24\w*|FASTRACK|WISMO\w*|MULTIBAND +900E? +1800"  # Wavecom
    r"|MG323\w*|A[67]_?MINI)",  # Huawei, Ai-Thinker
    re.IGNORECASE,
)


def only_2g(model: str) -> bool:
    """`model`: "SIMCOM_SIM800L" or with its maker, as the modem says."""
    return _MODELS.search(model.replace("SIMCOM_", "")) is not None
