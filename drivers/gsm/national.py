"""National language shift tables (23.038 Annex A), for reading what others send; we write the default alphabet or
UCS-2.

Identifiers (23.038 §6.2.1.2.4): 1 Turkish, 2 Spanish, 3 Portuguese, 4 Bengali and Assamese, 5 Gujarati, 6 Hindi, 7
Kannada, 8 Malayalam, 9 Oriya, 10 Punjabi, 11 Tamil, 12 Telugu, 13 Urdu. A locking table replaces the default alphabet
(`LOCKING`, 128 characters each; Spanish has none), a single shift table replaces its extension table (`SINGLE`, by
septet).

The nine tables of Indian scripts are one table: Unicode took over the common order of the Indian standard for all of
them, so a septet means the same place in each script's block of 128. What a script does not have is a space.
"""

from __future__ import annotations

__all__ = ["LOCKING", "SINGLE"]

# Annex A.3. "_" stands for the places that a script fills, in order; 0x1B is the escape.
_SHAPE = (
    "__________\n__\r__"
    "___________\x1b____"
    " !______)(__,_._"
    "0123456789:;___?"
    "________________"
    "________________"
    "_abcdefghijklmno"
    "pqrstuvwxyz_____"
)

# Places in a block of 128 that fill `_SHAPE` from 0x00 to 0x5F.
_PLACES = bytes(at for at in range(0x01, 0x4E) if at not in (0x04, 0x3A, 0x3B))


def _fill(letters: str) -> str:
    left = iter(letters)
    return "".join(next(left) if place == "_" else place for place in _SHAPE)


def _indian(block: int, missing: bytes, last: str) -> str:
    """`missing`: places that this script has no letter for. `last`: 0x60 and 0x7B to 0x7F."""
    return _fill("".join(" " if at in missing else chr(block + at) for at in _PLACES) + last)


LOCKING: dict[int, str] = {
    1: (  # Turkish
        "@£$¥€éùıòÇ\nĞğ\rÅå"
        "Δ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ"
        " !\"#¤%&'()*+,-./"
        "0123456789:;<=>?"
        "İABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÄÖÑÜ§"
        "çabcdefghijklmno"
        "pqrstuvwxyzäöñüà"
    ),
    3: (  # Portuguese
        "@£$¥êéúíóç\nÔô\rÁá"
        "Δ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ"
        " !\"#º%&'()*+,-./"
        "0123456789:;<=>?"
        "ÍABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÃÕÚÜ§"
        "~abcdefghijklmno"
        "pqrstuvwxyzãõ`üà"
    ),
    # Bengali, Gujarati, Hindi, Kannada, Malayalam, Oriya, Punjabi, Tamil, Telugu
    4: _indian(0x0980, b"\x0d\x0e\x11\x12\x29\x31\x33\x34\x35\x45\x46\x49\x4a", "\u09ce\u09d7\u09dc\u09dd\u09f0\u09f1"),
    5: _indian(0x0A80, b"\x0e\x12\x29\x31\x34\x46\x4a", "\u0ad0\u0ae0\u0ae1\u0ae2\u0ae3\u0af1"),
    6: _indian(0x0900, b"", "\u0950\u0972\u097b\u097c\u097e\u097f"),
    7: _indian(0x0C80, b"\x01\x0d\x11\x29\x34\x45\x49", "\u0cd5\u0cd6\u0ce0\u0ce1\u0ce2\u0ce3"),
    8: _indian(0x0D00, b"\x01\x0d\x11\x29\x3c\x45\x49", "\u0d57\u0d60\u0d61\u0d62\u0d63\u0d79"),
    9: _indian(0x0B00, b"\x0d\x0e\x11\x12\x29\x31\x34\x45\x46\x49\x4a", "\u0b56\u0b57\u0b60\u0b61\u0b62\u0b63"),
    10: _indian(
        0x0A00,
        b"\x0b\x0c\x0d\x0e\x11\x12\x29\x31\x34\x37\x3d\x43\x44\x45\x46\x49\x4a",
        "\u0a51\u0a70\u0a71\u0a72\u0a73\u0a74",
    ),
    11: _indian(
        0x0B80,
        b"\x01\x0b\x0c\x0d\x11\x16\x17\x18\x1b\x1d\x20\x21\x22\x25\x26\x27\x2b\x2c\x2d\x3c\x3d\x43\x44\x45\x49",
        "\u0bd0\u0bd7\u0bf0\u0bf1\u0bf2\u0bf9",
    ),
    12: _indian(0x0C00, b"\x0d\x11\x29\x34\x3c\x45\x49", "\u0c55\u0c56\u0c60\u0c61\u0c62\u0c63"),
    13: _fill(  # Urdu
        "\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f\u0679\u067d\u067a\u067c"  # 00-0F
        "\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f\u068c\u0688\u0689\u068a"  # 10-1F
        "\u068f\u068d\u0630\u0631\u0691\u0693\u0699\u0632\u0696\u0698"  # 22-2F
        "\u069a\u0633\u0634"  # 3C-3E
        "\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1\u0644\u0645\u0646"  # 40-4F
        "\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc\u06d0\u06d2\u064d\u0650\u064f\u0657"  # 50-5F
        "\u0654\u0655\u0651\u0653\u0656\u0670"  # 60, 7B-7F
    ),
}

# Annex A.2: what all single shift tables share with the default extension table.
_COMMON = dict(zip(b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", "\f^{}\\[~]|€", strict=True))

# What the tables of the Indian languages and Urdu share beyond that.
_COMMON_INDIAN = {
    **_COMMON,
    **dict(enumerate("@£$¥¿\"¤%&'")),
    **dict(zip(b"\x0b\x0c\x0e\x0f", "*+-/", strict=True)),
    **dict(enumerate("<=>¡^¡_#*", 0x10)),
    **dict(enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0x41)),
}
# The septets they fill each in their own way, in order.
_OWN = bytes((0x19, 0x1A, *range(0x1C, 0x28), *range(0x2A, 0x2F), *range(0x30, 0x3C)))


def _single(own: str) -> dict[int, str]:
    """`own`: the characters at `_OWN`, spaces where there is none, as far as the table goes."""
    return {**_COMMON_INDIAN, **{at: character for at, character in zip(_OWN, own, strict=False) if character != " "}}


SINGLE: dict[int, dict[int, str]] = {
    1: {**_COMMON, **dict(zip(b"\x47\x49\x53\x63\x67\x69\x73", "ĞİŞçğış", strict=True))},
    2: {**_COMMON, **dict(zip(b"\x09\x41\x49\x4f\x55\x61\x69\x6f\x75", "çÁÍÓÚáíóú", strict=True))},
    3: {
        **_COMMON,
        **dict(zip(b"\x05\x09\x0b\x0c\x0e\x0f\x12\x13\x15\x16\x17\x18\x19\x1f", "êçÔôÁáΦΓΩΠΨΣΘÊ", strict=True)),
        **dict(zip(b"\x41\x49\x4f\x55\x5b\x5c\x61\x69\x6f\x75\x7b\x7c\x7f", "ÀÍÓÚÃÕÂíóúãõâ", strict=True)),
    },
    4: _single(  # Bengali
        "\u09e6\u09e7\u09e8\u09e9\u09ea\u09eb\u09ec\u09ed\u09ee\u09ef\u09df\u09e0\u09e1\u09e2"
        "\u09e3\u09f2\u09f3\u09f4\u09f5\u09f6\u09f7\u09f8\u09f9\u09fa"
    ),
    5: _single("\u0964\u0965\u0ae6\u0ae7\u0ae8\u0ae9\u0aea\u0aeb\u0aec\u0aed\u0aee\u0aef"),  # Gujarati
    6: _single(  # Hindi
        "\u0964\u0965\u0966\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e\u096f\u0951\u0952"
        "\u0953\u0954\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f\u0960\u0961\u0962\u0963\u0970\u0971"
    ),
    7: _single("\u0964\u0965\u0ce6\u0ce7\u0ce8\u0ce9\u0cea\u0ceb\u0cec\u0ced\u0cee\u0cef\u0cde\u0cf1\u0cf2"),  # Kannada
    8: _single(  # Malayalam
        "\u0964\u0965\u0d66\u0d67\u0d68\u0d69\u0d6a\u0d6b\u0d6c\u0d6d\u0d6e\u0d6f\u0d70\u0d71"
        "\u0d72\u0d73\u0d74\u0d75\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f"
    ),
    9: _single(  # Oriya
        "\u0964\u0965\u0b66\u0b67\u0b68\u0b69\u0b6a\u0b6b\u0b6c\u0b6d\u0b6e\u0b6f\u0b5c\u0b5d\u0b5f\u0b70\u0b71"
    ),
    10: _single(  # Punjabi
        "\u0964\u0965\u0a66\u0a67\u0a68\u0a69\u0a6a\u0a6b\u0a6c\u0a6d\u0a6e\u0a6f\u0a59\u0a5a\u0a5b\u0a5c\u0a5e\u0a75"
    ),
    11: _single(  # Tamil
        "\u0964\u0965\u0be6\u0be7\u0be8\u0be9\u0bea\u0beb\u0bec\u0bed\u0bee\u0bef\u0bf3\u0bf4\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa"
    ),
    12: _single(  # Telugu
        "  \u0c66\u0c67\u0c68\u0c69\u0c6a\u0c6b\u0c6c\u0c6d\u0c6e\u0c6f\u0c58\u0c59"
        "\u0c78\u0c79\u0c7a\u0c7b\u0c7c\u0c7d\u0c7e\u0c7f"
    ),
    13: {  # Urdu
        **_single(
            "\u0600\u0601\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9\u060c\u060d"
            "\u060e\u060f\u0610\u0611\u0612\u0613\u0614\u061b\u061f\u0640\u0652\u0658\u066b\u066c\u0672\u0673\u06cd"
        ),
        0x3F: "\u06d4",
    },
}
