"""u-blox LISA, SARA, TOBY, LARA. Long searches: COPS, CFUN and CMGS take up to three minutes."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="ublox",
    maker=r"u-?blox",
    error_table="ublox",
    reset="AT+CFUN=16",
    iccid=("AT+CCID",),
    pin_counter=("AT+UPINCNT",),
    ready=("+PBREADY",),
    noise=("+UU", "+UCALLSTAT", "+CIEV"),
    cnmi=((1, 1, 0, 1, 0), (2, 1, 0, 1, 0)),
    result_timeout=300.0,
    keep_link=False,
)
