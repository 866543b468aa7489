"""Quectel EC2x, EG, EP, BG9x, UC and M series. +CDSI names the wrong storage (EC25): reports come directly, ds=1."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="quectel",
    maker=r"quectel",
    error_table="quectel",
    quiet=('AT+QURCCFG="urcport","usbat"',),  # notifications on the port that we read
    iccid=("AT+QCCID",),
    pin_counter=('AT+QPINC="SC"',),
    ready=("+QIND: SMS DONE", '+QIND: "SMS DONE"', "+QIND: PB DONE"),
    resets=("POWERED DOWN",),
    noise=('+QIND: "csq"', '+QIND: "act"', "+QUSIM:", "+QGPSURC", "+QLWURC", "+QTONEDET"),
    cnmi=((2, 1, 0, 1, 0),),
    first_index=0,
    result_timeout=300.0,
    keep_link=False,
)
