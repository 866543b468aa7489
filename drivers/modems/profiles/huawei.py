"""Huawei E1xx, E3xx, ME909, MU709. Never send ^GETPORTMODE: it crashes an MU609."""

from drivers.modems.profile import Profile

PROFILE = Profile(
    name="huawei",
    maker=r"huawei",
    error_table="huawei",
    reset="AT^RESET",
    quiet=("AT^CURC=0",),
    iccid=("AT^ICCID?",),
    pin_counter=("AT^CPIN?",),
    ready=("^SIMST:1", "^SIMST: 1", "^SRVST:2", "^SRVST: 2"),
    noise=(
        "^RSSI",
        "^HCSQ",
        "^RSSILVL",
        "^HRSSILVL",
        "^MODE",
        "^DSFLOWRPT",
        "^BOOT",
        "^CSNR",
        "^SRVST",
        "^SIMST",
        "^STIN",
        "^NWTIME",
        "^NDISSTAT",
        "^EONS",
        "^LWURC",
        "^LTERSRP",
        "^CSCHANNELINFO",
        "^PDPDEACT",
        "^NDISEND",
        "^RFSWITCH",
        "^ECCLIST",
        "^CONN",
        "^CEND",
        "^ORIG",
        "^CONF",
    ),  # ^BOOT every 20 s is normal on E1xx; ^SMMEMFULL is no noise
    cnmi=((2, 1, 0, 2, 0), (1, 1, 0, 1, 0)),
    acknowledges_texts=False,  # claims service 1, must be treated as 0 (oFono)
    acknowledges_reports=False,
    first_index=0,
    packs_ussd=True,  # dongles; AT^USSDMODE=0 would change it, and not all know that
)
