"""SIMCom of the GSM age: SIM800, SIM900. One radio, one SIM storage, autobaud, brown-outs on weak supplies."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="simcom",
    maker=r"simcom",
    model=r"sim_?[35689]\d\d\d?(?!\d)",
    error_table="simcom",
    quiet=("AT+CLTS=0",),
    iccid=("AT+CCID",),
    pin_counter=("AT+SPIC",),
    ready=("SMS Ready", "SMS READY"),
    noise=("Call Ready", "*PSUTTZ", "+PSUTTZ", "DST:", "+CTZV", "+CIEV", "+NITZ"),
    storages=("SM", "ME"),
    cnmi=((2, 1, 0, 1, 0),),
    acknowledges_texts=False,  # wants no CNMA for +CMT (oFono)
    list_command="AT+CMGL=4",
)
