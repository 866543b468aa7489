"""SIMCom with LTE: SIM7x00, A7670, A7602. Text mode after every start, CMGF refused before `SMS DONE`, slow lists."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="simcom_lte",
    maker=r"simcom",
    model=r"sim_?7\d\d\d|a76\d\d",
    error_table="simcom",
    reset="AT+CRESET",
    quiet=("AT+CNSMOD=0",),
    iccid=("AT+CICCID",),
    pin_counter=("AT+SPIC",),
    ready=("SMS DONE", "PB DONE"),
    noise=("+CTZV", "+CIEV", "+NITZ", "+CNSMOD", "VOICE CALL", "MISSED_CALL"),
    cnmi=((2, 1, 0, 1, 0), (2, 1, 0, 2, 0)),
    acknowledges_texts=False,
    first_index=0,
    result_timeout=300.0,
    keep_link=False,
)
