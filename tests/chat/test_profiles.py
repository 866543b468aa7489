"""Profiles: who is recognised as what, and that two never claim one modem."""

from __future__ import annotations

import pytest

from drivers.modems import bringup
from drivers.modems.notices import Notification, about
from drivers.modems.profile import Profile, ProfileError, choose
from drivers.modems.profiles import all_profiles, by_name, find

MODEMS = [
    ("huawei", "E173", "huawei"),
    ("Huawei Technologies Co., Ltd.", "ME909s-120", "huawei"),
    ("ZTE CORPORATION", "MF190", "zte"),
    ("SIMCOM_Ltd", "SIMCOM_SIM800L", "simcom"),
    ("SIMCOM_Ltd", "SIM900", "simcom"),
    ("SIMCOM INCORPORATED", "SIM5320E", "simcom"),
    ("SIMCOM INCORPORATED", "SIM7600E-H", "simcom_lte"),
    ("INCORPORATED SIMCOM", "A7670E-FASE", "simcom_lte"),
    ("Quectel", "EC25", "quectel"),
    ("Quectel_Ltd", "Quectel_M95", "quectel"),
    ("Telit", "HE910", "telit"),
    ("u-blox", "SARA-U201", "ublox"),
    ("SIEMENS", "TC35i", "cinterion"),
    ("Cinterion", "BGS5", "cinterion"),
    ("Gemalto", "PLS8-E", "cinterion"),
    ("WAVECOM MODEM", "MULTIBAND 900E 1800", "wavecom"),
    ("Sierra Wireless, Incorporated", "MC7710", "sierra"),
    ("Neoway", "M590", "generic"),
    ("", "", "generic"),
]


@pytest.mark.parametrize(("maker", "model", "name"), MODEMS)
def test_who_is_recognised_as_what(maker: str, model: str, name: str) -> None:
    assert find(maker, model).name == name


def test_two_claims_are_an_error() -> None:
    one, other = Profile(name="one", maker="acme"), Profile(name="other", maker="acme", model="x")
    with pytest.raises(ProfileError, match="one, other"):
        choose((one, other), "ACME", "X1")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="huawei"):
        by_name("nokia")


def test_every_family_of_the_manual_is_there() -> None:
    names = {profile.name for profile in all_profiles()}
    assert names >= {
        "generic",
        "huawei",
        "zte",
        "simcom",
        "quectel",
        "telit",
        "ublox",
        "cinterion",
        "wavecom",
        "sierra",
    }


@pytest.mark.parametrize(
    ("profile", "line", "meaning"),
    [
        ("generic", '+CMTI: "ME",1', Notification.STORED),
        ("generic", "+CDS: 25", Notification.DIRECT_REPORT),
        ("generic", "RDY", Notification.RESTARTED),
        ("generic", "+CPIN: READY", Notification.DOUBTFUL),
        ("generic", "+CPIN: NOT READY", Notification.SIM_GONE),
        ("generic", "^SMMEMFULL: \"SM\"", Notification.FULL),
        ("cinterion", "^SMGO: 1", Notification.FULL),
        ("generic", '+CIEV: "smsfull",1', Notification.FULL),
        ("generic", "+CIEV: 2,4", Notification.NOISE),
        ("huawei", "^RSSI:17", Notification.NOISE),
        ("generic", "^RSSI:17", Notification.UNKNOWN),
        ("quectel", "+QIND: SMS DONE", Notification.DOUBTFUL),
        ("wavecom", "+WIND: 4", Notification.DOUBTFUL),
        ("wavecom", "+WIND: 2", Notification.NOISE),
    ],
)  # fmt: skip
def test_what_a_notification_is_about(profile: str, line: str, meaning: Notification) -> None:
    assert about(line, by_name(profile)) is meaning


ALL = frozenset(range(4))


@pytest.mark.parametrize(
    ("profile", "choices", "first"),
    [
        ("generic", (), (2, 1, 0, 2, 0)),
        ("generic", (ALL, ALL, frozenset({0}), frozenset({0, 1}), frozenset({0})), (2, 1, 0, 1, 0)),
        ("generic", (ALL, ALL, ALL, ALL, frozenset({1})), (2, 1, 0, 2, 1)),
        ("generic", (frozenset({0, 1}), ALL, ALL, ALL, ALL), (1, 1, 0, 2, 0)),
        ("zte", (ALL, ALL, ALL, ALL, ALL), (1, 1, 0, 1, 0)),
        ("sierra", (ALL, ALL, ALL, ALL, ALL), (2, 1, 2, 1, 0)),
        ("cinterion", (ALL, ALL, ALL, ALL, frozenset({1})), (2, 1, 0, 2, 1)),
    ],
)
def test_the_first_notification_setting_tried(
    profile: str, choices: tuple[frozenset[int], ...], first: tuple[int, ...]
) -> None:
    assert bringup.cnmi_candidates(by_name(profile), choices)[0] == first


def test_stored_reports_are_not_asked_for_where_they_were_not_found() -> None:
    candidates = bringup.cnmi_candidates(by_name("generic"), (), no_stored_reports=True)
    assert all(candidate[3] != 2 for candidate in candidates)


def test_without_a_storage_texts_are_asked_for_directly() -> None:
    assert all(candidate[1] == 2 for candidate in bringup.cnmi_candidates(by_name("generic"), (), direct=True))


@pytest.mark.parametrize(
    ("wanted", "offered", "order"),
    [
        ("", ("SM", "ME"), ["ME", "SM"]),
        ("SM", ("SM", "ME"), ["SM", "ME"]),
        ("", ("SM",), ["SM"]),
        ("", (), ["ME", "SM", "MT"]),
    ],
)
def test_storages_in_the_order_they_are_tried(wanted: str, offered: tuple[str, ...], order: list[str]) -> None:
    assert bringup.pick_storage(wanted, by_name("generic"), offered) == order
