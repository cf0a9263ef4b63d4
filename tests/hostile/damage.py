"""Damage that fits any file: flipped bits, cut ends, lost, doubled, swapped and overwritten stretches, wild numbers."""

from __future__ import annotations

from random import Random

HEAD = 512  # bytes at the start and at the end, where formats keep their structure
WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 2**64 - 1)


def damaged(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Damage a file in one way.

    Args:
        data: The whole file.
        chance: Where the choices come from.

    Returns:
        Other bytes, and what was done in words.
    """
    while True:
        result, what = chance.choice((flipped, cut, lost, doubled, swapped, noisy, numbered, extended))(data, chance)
        if result != data:
            return result, what


def place(data: bytes, chance: Random) -> int:
    """Return an offset: at the start, at the end, or anywhere, each as likely."""
    size = max(1, len(data))
    near = chance.randrange(min(HEAD, size))
    return chance.choice((near, size - 1 - near, chance.randrange(size)))


def flipped(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Flip one to eight bits."""
    out, places = bytearray(data), []
    for _ in range(chance.choice((1, 1, 2, 8)) if data else 0):
        places.append(place(data, chance))
        out[places[-1]] ^= 1 << chance.randrange(8)
    return bytes(out), f"bits flipped at {places}"


def cut(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Cut the end off."""
    size = place(data, chance)
    return data[:size], f"cut to {size} of {len(data)} bytes"


def lost(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Take a stretch out."""
    start, size = place(data, chance), chance.choice((1, 4, 16, 256, 4096))
    return data[:start] + data[start + size :], f"{size} bytes lost at {start}"


def doubled(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Repeat a stretch."""
    start, size = place(data, chance), chance.choice((1, 4, 16, 256, 4096))
    return data[: start + size] + data[start : start + size] + data[start + size :], f"{size} bytes twice at {start}"


def swapped(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Exchange two stretches."""
    size = chance.choice((1, 4, 16, 256))
    one, other = sorted((place(data, chance), place(data, chance)))
    if one + size > other:
        return data, "nothing"
    parts = (data[:one], data[other : other + size], data[one + size : other], data[one : one + size])
    return b"".join((*parts, data[other + size :])), f"{size} bytes exchanged between {one} and {other}"


def noisy(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Overwrite a stretch with noise or zeros."""
    start, size = place(data, chance), chance.choice((4, 16, 256, 4096))
    size = min(size, len(data) - start)
    fill = chance.choice((chance.randbytes(size), bytes(size), b"\xff" * size))
    return data[:start] + fill + data[start + size :], f"{size} bytes overwritten at {start}"


def numbered(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Overwrite a word with an absurd number."""
    size, start = chance.choice((2, 4, 8)), place(data, chance) & ~1
    value = chance.choice(WORDS) % (1 << 8 * size)
    order = chance.choice(("little", "big"))
    word = value.to_bytes(size, "little" if order == "little" else "big")
    return data[:start] + word + data[start + size :], f"{value} written at {start}"


def extended(data: bytes, chance: Random) -> tuple[bytes, str]:
    """Append noise."""
    size = chance.choice((1, 64, 5000))
    return data + chance.randbytes(size), f"{size} bytes appended"
