"""Wavecom Fastrack and Q24, later sold by Sierra as FXT. +CPIN? has no OK; 515 means "please wait" while booting."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="wavecom",
    maker=r"wavecom",
    error_table="wavecom",
    reset="AT+CFUN=1",
    iccid=("AT+CCID",),
    pin_counter=("AT+CPINC?",),
    ready=("+WIND: 4",),
    noise=("+WIND:",),
    storages=("SM",),
    cnmi=((2, 1, 0, 1, 0),),
    implied_ok=frozenset({"AT+CPIN?", "AT+CPMS"}),
    gap=0.1,
    prompt_pause=0.02,
)
