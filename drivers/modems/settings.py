"""What a channel with a modem is told: which modem, which SIM, and how patient to be."""

from __future__ import annotations

import msgspec

__all__ = ["ModemSettings", "Timing"]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds. The defaults are what the slowest modems seen need; tests lower some of them."""

    drain: float = 0.3  # what a serial port still holds when it is opened
    escape: float = 0.1  # between ESC and CR
    alive: float = 2.0  # AT
    alive_tries: int = 5  # autobaud needs some
    reset_tries: int = 30  # after a restart the modem is deaf for up to a minute
    ask: float = 5.0  # queries and settings
    sim: float = 10.0  # CPIN?, identities
    enter_pin: float = 30.0
    sim_ready: float = 60.0  # until the SMS layer works
    sim_poll: float = 2.0  # between two questions meanwhile
    operator: float = 10.0
    radio: float = 180.0  # CFUN=, COPS=
    storage: float = 40.0  # CPMS=: a MC35 takes 35 s
    read: float = 20.0  # CMGR
    delete: float = 25.0  # CMGD
    list_total: float = 120.0  # CMGL
    list_silence: float = 20.0
    prompt: float = 10.0
    result: float | None = None  # from Ctrl-Z to the answer; None = as the profile says, 180 or 300
    late: float = 600.0  # a doubtful send's answer is still recognised for so long
    held: float = 5.0  # a result is held back so long while an older one may still come
    bare_ok: float = 1.0  # OK without the line it should follow
    implied_ok: float = 1.0  # a line without the OK that should follow
    silence: float = 1.0  # before a probe after a time-out
    silence_after_send: float = 5.0  # behind the probe's answer when a send was given up
    settle: float = 0.3  # behind the probe's answer otherwise: two results for one command
    probe_tries: int = 3
    acknowledge: float = 5.0  # CNMA
    write: float = 5.0  # until the port has taken what was written
    reread: tuple[float, ...] = (0.5, 1.0, 3.0)  # a message that was announced and cannot be read yet
    sink_retry: float = 5.0  # the bridge could not store it
    delete_retry: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    ussd: float = 30.0  # the OK to CUSD=1, which some modems give behind the network's answer; then it is let go
    ussd_idle: float = 30.0  # a session that waits for our reply is ended after that: it blocks texts on some modems
    ussd_rest: float = 2.0  # behind the end of one that was cut off: its last words may still come
    health: float = 60.0  # signal and registration
    other_storage: float = 300.0  # class 2 texts go to the SIM whatever is set
    register_settle: float = 10.0  # sends fail more often right after registration
    radio_rest: float = 2.0  # between off and on
    reset: float = 15.0  # the answer to a reset command
    reset_rest: float = 2.0  # then the port may go
    exchanged: float = 10.0  # another modem takes the place of ours when ours has been nowhere for so long
    plug_settle: float = 0.3  # from a plug event until the port is opened: udev makes links meanwhile
    reopen_first: float = 1.0
    reopen_last: float = 30.0


class ModemSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One modem with its SIM. At least one of `port` and `imei` (or `iccid`) says where it is."""

    port: str = ""  # "/dev/serial/by-id/...", "/dev/ttyUSB2", "socket://host:port", "rfc2217://host:port"
    imei: str = ""  # when given, no other modem is used, and it is found again under any port name
    iccid: str = ""  # the same for the SIM
    pin: str = ""  # entered at most once, see pin_guard
    smsc: str = ""  # service centre written into each PDU; empty = the one on the SIM
    storage: str = ""  # "ME", "SM": overrides the profile's choice
    profile: str = ""  # overrides the recognition by AT+CGMI and AT+CGMM
    poll: float = 30.0  # seconds between two looks into the storage
    hang_up: bool = False  # calls are ended; else they ring until the caller tires
    repair: bool = True  # beyond opening the port again
    power_command: tuple[str, ...] = ()  # cuts the modem's power and gives it back; no shell
    recording: float = 0.0  # seconds that the flight recorder goes back; 0 = none
    trace: bool = False  # every line in the log at debug level
    baudrate: int = 115200
    rtscts: bool = False  # only where the cable really has the wires
    timing: Timing = Timing()

    def __repr__(self) -> str:
        return f"ModemSettings(port={self.port!r}, imei={self.imei!r}, profile={self.profile!r})"
