"""What makes one family of modems answer differently from another, as data. The numbers in examples are fictional."""

from __future__ import annotations

import msgspec

__all__ = ["PROFILES", "Profile"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One family. Command names are written as in `AT+NAME`, without AT."""

    name: str
    vendor: str  # +CGMI
    model: str  # +CGMM
    revision: str = "1.0.7"  # +CGMR
    usb: str = ""  # vendor:product, for those who look for it
    prefixed_identity: bool = False  # "+CGMM: model" instead of "model"

    iccid_command: str = "+CCID"  # which of the vendors' commands gives the ICCID
    iccid_prefix: str = "+CCID"  # what stands before it in the answer; "" for the bare digits
    pin_command: str = "+CPINR"  # which command gives the counters
    pin_answer: str = "+CPINR: SIM PIN,{pin},3"  # {pin} and {puk} are the tries left
    pin_read_has_ok: bool = True  # Wavecom gives +CPIN: without a final OK

    first_index: int = 1  # of the first record in a storage
    storages: tuple[str, ...] = ("SM", "ME")  # of mem1; mem3 has the same choice
    me_size: int = 50
    default_storage: str = "SM"
    cpms_answers_ok_only: bool = False  # ZTE
    cnmi_modes: tuple[int, ...] = (0, 1, 2)
    cnmi_mt: tuple[int, ...] = (0, 1, 2)
    cnmi_ds: tuple[int, ...] = (0, 1, 2)
    cnmi_ds_refused: tuple[int, ...] = ()  # advertised, yet refused
    cnmi_bfr: tuple[int, ...] = (0, 1)
    cnmi_start: str = "0,0,0,0,0"
    services: tuple[int, ...] = (0, 1)  # +CSMS
    cmgs_time_stamp: bool = False  # with CSMS=1, +CMGS: carries the time stamp of the centre
    cds_header: str = "+CDS: {length}"
    cdsi_storage: str = ""  # where +CDSI says the report is; "" = where it really is
    starts_in_text_mode: bool = True  # +CMGF after a reset
    starts_with_echo: bool = True

    prompt: str = "\r\n> "
    newline: str = "\r\n"
    error_word: str = "ERROR"  # to a command it does not know
    refused: frozenset[str] = frozenset()  # commands that answer ERROR although the standard has them
    bad_length: int = 304  # +CMS ERROR for a PDU that is not as long as said
    full: str = ""  # line sent when the storage became full
    packs_ussd: bool = False  # USSD texts are packed septets in hexadecimal, both ways
    full_index: int | None = None  # Huawei: +CMTI: "SM",-1

    boot: tuple[tuple[float, str], ...] = ()  # (seconds after power, line) of a reset
    boot_seconds: float = 3.0  # deaf that long after a reset
    sms_ready_seconds: float = 0.0  # SMS commands answer CMS 314 that long after the SIM is ready


def _profiles(*profiles: Profile) -> dict[str, Profile]:
    return {profile.name: profile for profile in profiles}


PROFILES: dict[str, Profile] = _profiles(
    Profile(name="generic", vendor="GSM Bridge", model="Simulated", usb="0000:0000", starts_in_text_mode=False),
    Profile(
        name="huawei",
        vendor="huawei",
        model="E173",
        revision="11.126.16.04.55",
        usb="12d1:1436",
        iccid_command="^ICCID",
        iccid_prefix="^ICCID",
        pin_command="^CPIN",
        pin_answer="^CPIN: SIM PIN,{pin},{puk},{pin},10,3",
        first_index=0,
        me_size=20,
        error_word="COMMAND NOT SUPPORT",
        cnmi_ds=(0, 1, 2),
        full='^SMMEMFULL: "SM"',
        full_index=-1,
        packs_ussd=True,
        boot=((1.0, "^BOOT:12345678,0,0,0,75"), (4.0, "^SIMST:1"), (5.0, "^SRVST:2")),
        boot_seconds=3.0,
    ),
    Profile(
        name="zte",
        vendor="ZTE INCORPORATED",
        model="MF190",
        usb="19d2:0117",
        iccid_command="+ZGETICCID",
        iccid_prefix="+ZGETICCID",
        pin_command="+ZPINPUK",
        pin_answer="+ZPINPUK: {pin},{puk}",
        first_index=0,
        cpms_answers_ok_only=True,
        cds_header="+CDS: ,{length}",
        boot=((2.0, "+ZUSIMR:2"), (3.0, "+ZPASR: 3")),
    ),
    Profile(
        name="simcom",
        vendor="SIMCOM INCORPORATED",
        model="SIM7600E",
        revision="LE11B14SIM7600M22",
        usb="1e0e:9001",
        iccid_command="+CICCID",
        iccid_prefix="+ICCID",
        pin_command="+SPIC",
        pin_answer="+SPIC: {pin},{puk},0,10",
        first_index=0,
        me_size=23,
        default_storage="ME",
        boot=((2.0, "RDY"), (2.1, "+CFUN: 1"), (4.0, "+CPIN: READY"), (6.0, "SMS DONE"), (7.0, "PB DONE")),
        boot_seconds=2.0,
        sms_ready_seconds=2.0,
    ),
    Profile(
        name="sim800",
        vendor="SIMCOM_Ltd",
        model="SIMCOM_SIM800L",
        iccid_command="+CCID",
        iccid_prefix="",
        pin_command="+SPIC",
        pin_answer="+SPIC: {pin},{puk},0,10",
        storages=("SM",),
        boot=((2.0, "RDY"), (2.1, "+CFUN: 1"), (3.0, "+CPIN: READY"), (5.0, "Call Ready"), (6.0, "SMS Ready")),
        boot_seconds=2.0,
        sms_ready_seconds=3.0,
    ),
    Profile(
        name="quectel",
        vendor="Quectel",
        model="EC25",
        revision="EC25EFAR06A06M4G",
        usb="2c7c:0125",
        iccid_command="+QCCID",
        iccid_prefix="+QCCID",
        pin_command="+QPINC",
        pin_answer='+QPINC: "SC",{pin},{puk}',
        first_index=0,
        storages=("SM", "ME", "SR"),
        default_storage="ME",
        cdsi_storage="SM",
        boot=((2.0, "RDY"), (3.0, "+CPIN: READY"), (3.1, "+QUSIM: 1"), (4.0, "+QIND: SMS DONE")),
        boot_seconds=2.0,
        sms_ready_seconds=1.0,
    ),
    Profile(
        name="telit",
        vendor="Telit",
        model="HE910",
        usb="1bc7:1201",
        iccid_command="#CCID",
        iccid_prefix="#CCID",
        pin_command="#PCT",
        pin_answer="#PCT: {pin}",
        me_size=99,
        sms_ready_seconds=1.0,
    ),
    Profile(
        name="ublox",
        vendor="u-blox",
        model="SARA-U201",
        usb="1546:1102",
        pin_command="+UPINCNT",
        pin_answer="+UPINCNT: {pin},3,{puk},10",
        boot=((3.0, "+PBREADY"),),
    ),
    Profile(
        name="cinterion",
        vendor="Cinterion",
        model="BGS5",
        usb="1e2d:005b",
        pin_command="^SPIC",
        pin_answer="^SPIC: {pin}",
        me_size=25,
        cnmi_bfr=(1,),
        cnmi_start="0,0,0,0,1",
        full="^SMGO: 1",
        boot=((2.0, "^SYSSTART"), (4.0, "^SSIM READY")),
        boot_seconds=2.0,
    ),
    Profile(
        name="wavecom",
        vendor="WAVECOM MODEM",
        model="MULTIBAND 900E 1800",
        usb="114f:1234",
        pin_command="",
        pin_answer="",
        pin_read_has_ok=False,
        storages=("SM", "SR"),
        refused=frozenset({"+CGSMS", "+CEREG", "+CESQ"}),
        boot=((2.0, "+WIND: 1"), (4.0, "+WIND: 4")),
        boot_seconds=2.0,
    ),
    Profile(
        name="sierra",
        vendor="Sierra Wireless, Incorporated",
        model="MC7710",
        usb="1199:68a2",
        iccid_command="!ICCID",
        iccid_prefix="!ICCID",
        pin_command="+CPINC",
        pin_answer="+CPINC: {pin},3,{puk},10",
        cnmi_ds_refused=(1,),
        boot=((3.0, "+PACSP0"),),
    ),
)
