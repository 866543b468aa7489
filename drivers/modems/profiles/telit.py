"""Telit GE, GM, HE, LE, ME. 20 ms between a result and the next command; timers of the network show as 513 and 515."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="telit",
    maker=r"telit",
    error_table="telit",
    reset="AT#REBOOT",
    quiet=("AT#QSS=0",),
    iccid=("AT#CCID",),
    pin_counter=("AT#PCT",),
    noise=("#QSS", "#STN"),
    cnmi=((2, 1, 0, 1, 0),),
    gap=0.02,
    prompt_pause=0.02,
    result_timeout=300.0,
)
