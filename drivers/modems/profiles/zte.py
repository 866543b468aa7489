"""ZTE MF1xx, MF6xx, MF19x. Reports come as `+CDS: ,25`, +CPMS= answers OK without its line."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="zte",
    maker=r"\bzte\b",
    error_table="zte",
    quiet=("AT+ZOPRT=5", "AT+ZCDRUN=8"),  # online; no CD-ROM
    iccid=("AT+ICCID", "AT+ZGETICCID"),
    pin_counter=("AT+ZPINPUK=?",),
    noise=("+ZUSIMR", "+ZDONR", "+ZPASR", "+ZPSTM", "+ZEND", "+ZPAS"),
    cnmi=((1, 1, 0, 1, 0),),
    first_index=0,
)
