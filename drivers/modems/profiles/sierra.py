"""Sierra Wireless MC and EM (Qualcomm). They advertise ds=1 and refuse it without bm=2."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="sierra",
    maker=r"sierra",
    error_table="sierra",
    reset="AT!RESET",
    iccid=("AT!ICCID?",),
    pin_counter=("AT+CPINC?",),
    noise=("+PACSP",),
    cnmi=((2, 1, 2, 1, 0), (2, 1, 2, 2, 0), (2, 1, 2, 0, 0)),
    first_index=0,
    result_timeout=300.0,
    keep_link=False,
)
