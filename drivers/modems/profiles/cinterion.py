"""Siemens TC35, MC35, MC55, TC65 and their heirs from Cinterion, Gemalto and Thales: BGS, EHS, PLS. bfr must be 1."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="cinterion",
    maker=r"siemens|cinterion|gemalto|thales",
    error_table="siemens",
    iccid=("AT+CCID", "AT^SCID"),
    pin_counter=('AT^SPIC="SC"',),
    ready=("^SSIM READY",),
    noise=("^SCKS", "+CTZU", "+CIEV"),
    cnmi=((2, 1, 0, 2, 1), (2, 1, 0, 1, 1)),
    gap=0.02,
    prompt_pause=0.02,
    chunk=18,  # TC35 on 9600 bit/s loses octets of a PDU written in one piece
    chunk_pause=0.01,
)
