"""Hash functions of bytes that give everywhere what Keras' layers give; knows no layer.

FarmHash's 64-bit fingerprint (Pike and Alakuijala, 2014, https://github.com/google/farmhash), which
never changes by its authors' promise; SipHash-2-4 (Aumasson and Bernstein, 2012) where there is a
key; and TensorFlow's way to combine two fingerprints.
"""

from __future__ import annotations

import struct

__all__ = ["combined", "fingerprint", "keyed"]

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _right(x: int, bits: int) -> int:
    """Rotate 64 bits to the right."""
    return (x >> bits | x << (64 - bits)) & _MASK


def _mixed(x: int) -> int:
    return x ^ x >> 47


def _pair(u: int, v: int, mul: int) -> int:
    a = _mixed((u ^ v) * mul & _MASK)
    return _mixed((v ^ a) * mul & _MASK) * mul & _MASK


def _short(s: bytes) -> int:
    """Hash up to 16 bytes."""
    n = len(s)
    mul = _K2 + 2 * n
    if n >= 8:
        a, b = _word(s, 0) + _K2 & _MASK, _word(s, n - 8)
        c = _right(b, 37) * mul + a & _MASK
        d = (_right(a, 25) + b) * mul & _MASK
        return _pair(c, d, mul)
    if n >= 4:
        first, last = (int.from_bytes(s[at : at + 4], "little") for at in (0, n - 4))
        return _pair(n + (first << 3) & _MASK, last, mul)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mixed((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _middle(s: bytes) -> int:
    """Hash 17 to 64 bytes."""
    n = len(s)
    mul = _K2 + 2 * n
    long = n > 32
    a, b = _word(s, 0) * (_K2 if long else _K1) & _MASK, _word(s, 8)
    c, d = _word(s, n - 8) * mul & _MASK, _word(s, n - 16) * _K2 & _MASK
    y = _right(a + b & _MASK, 43) + _right(c, 30) + d & _MASK
    z = _pair(y, a + _right(b + _K2 & _MASK, 18) + c & _MASK, mul)
    if not long:
        return z
    e, f = _word(s, 16) * mul & _MASK, _word(s, 24)
    g = (y + _word(s, n - 32)) * mul & _MASK
    h = (z + _word(s, n - 24)) * mul & _MASK
    return _pair(
        _right(e + f & _MASK, 43) + _right(g, 30) + h & _MASK,
        e + _right(f + a & _MASK, 18) + g & _MASK,
        mul,
    )


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Hash 32 bytes with two seeds."""
    w, x, y, z = (_word(s, at + step) for step in (0, 8, 16, 24))
    a = a + w & _MASK
    b = _right(b + a + z & _MASK, 21)
    c = a
    a = a + x + y & _MASK
    b = b + _right(a, 44) & _MASK
    return a + z & _MASK, b + c & _MASK


def fingerprint(s: bytes) -> int:
    """Return the 64-bit fingerprint of bytes.

    Examples
    --------
    >>> fingerprint(b'A')
    16915294056622060564
    """
    n = len(s)
    if n <= 16:
        return _short(s)
    if n <= 64:
        return _middle(s)
    x = 81
    y = x * _K1 + 113 & _MASK
    z = _mixed(y * _K2 + 113 & _MASK) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _word(s, 0) & _MASK

    def step(at: int, mul: int, nine: int) -> None:
        nonlocal x, y, z, v, w
        x = _right(x + y + v[0] + _word(s, at + 8) & _MASK, 37) * mul & _MASK
        y = _right(y + v[1] + _word(s, at + 48) & _MASK, 42) * mul & _MASK
        x ^= w[1] * nine & _MASK
        y = y + v[0] * nine + _word(s, at + 40) & _MASK
        z = _right(z + w[0] & _MASK, 33) * mul & _MASK
        v = _weak(s, at, v[1] * mul & _MASK, x + w[0] & _MASK)
        w = _weak(s, at + 32, z + w[1] & _MASK, y + _word(s, at + 16) & _MASK)
        x, z = z, x

    for at in range(0, (n - 1) // 64 * 64, 64):
        step(at, _K1, 1)
    mul = _K1 + ((z & 0xFF) << 1) & _MASK
    w = w[0] + (n - 1 & 63) & _MASK, w[1]
    v = v[0] + w[0] & _MASK, v[1]
    w = w[0] + v[0] & _MASK, w[1]
    step(n - 64, mul, 9)
    return _pair(
        _pair(v[0], w[0], mul) + _mixed(y) * _K0 + z & _MASK,
        _pair(v[1], w[1], mul) + x & _MASK,
        mul,
    )


def keyed(s: bytes, key: tuple[int, int]) -> int:
    """Return SipHash-2-4 of bytes under a key of two integers.

    Examples
    --------
    >>> keyed(bytes(range(15)), (0x0706050403020100, 0x0f0e0d0c0b0a0908)) == 0xa129ca6149be45e5
    True
    """
    k0, k1 = (part & _MASK for part in key)
    a, b = 0x736F6D6570736575 ^ k0, 0x646F72616E646F6D ^ k1
    c, d = 0x6C7967656E657261 ^ k0, 0x7465646279746573 ^ k1

    def rounds(count: int) -> None:
        nonlocal a, b, c, d
        for _ in range(count):
            a, c = a + b & _MASK, c + d & _MASK
            b, d = _right(b, 51) ^ a, _right(d, 48) ^ c
            a = _right(a, 32)
            c, a = c + b & _MASK, a + d & _MASK
            b, d = _right(b, 47) ^ c, _right(d, 43) ^ a
            c = _right(c, 32)

    whole = len(s) // 8 * 8
    last = s[whole:].ljust(7, b"\0") + bytes([len(s) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", s[:whole] + last):
        d ^= word
        rounds(2)
        a ^= word
    c ^= 0xFF
    rounds(4)
    return a ^ b ^ c ^ d


_CAT = 0xC6A4A7935BD1E995


def combined(first: int, second: int) -> int:
    """Return one fingerprint of two, as TensorFlow's crossed columns do."""
    result = first ^ _CAT
    result ^= _mixed(second * _CAT & _MASK) * _CAT & _MASK
    result = result * _CAT & _MASK
    result = _mixed(result) * _CAT & _MASK
    return _mixed(result)
