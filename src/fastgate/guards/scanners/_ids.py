"""Check digits of national identifiers, each as its country's authority publishes it. Pure functions.

They take the number without blanks, dots, dashes and slashes, in capitals, already of the right shape.
"""

from __future__ import annotations

from fastgate.guards.scanners._checksums import luhn, mod11_10, verhoeff, weighted

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _day(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12


def us_ssn(text: str) -> bool:
    """Social Security Administration: areas 000, 666 and 9xx, group 00 and serial 0000 are never given out."""
    return text[:3] not in ("000", "666") and text[0] != "9" and text[3:5] != "00" and text[5:] != "0000"


def us_itin(text: str) -> bool:
    return text[0] == "9" and (50 <= int(text[3:5]) <= 99)


def us_npi(text: str) -> bool:
    """Luhn with the prefix of the United States' health industry."""
    return luhn("80840" + text)


def ca_sin(text: str) -> bool:
    return text[0] not in "08" and luhn(text)


def uk_nhs(text: str) -> bool:
    check = 11 - weighted(text, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return check != 10 and check % 11 == int(text[9])


def de_tax_id(text: str) -> bool:
    """Steuer-Identifikationsnummer: one digit twice or thrice in the first ten, ISO 7064 MOD 11,10."""
    return text[0] != "0" and 2 <= max(text[:10].count(sign) for sign in text[:10]) <= 3 and mod11_10(text)


def fr_nir(text: str) -> bool:
    """INSEE: 97 less the number modulo 97; 2A and 2B of Corsica count as 19 and 18."""
    body = text[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(text[13:])


_IT_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def it_codice_fiscale(text: str) -> bool:
    values = [int(sign, 36) - 10 if sign.isalpha() else int(sign) for sign in text[:15]]
    total = sum(_IT_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return LETTERS[total % 26] == text[15]


def es_dni(text: str) -> bool:
    """The letter is the number modulo 23; X, Y, Z of a NIE count as 0, 1, 2."""
    number = int(text[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == text[-1]


def pt_nif(text: str) -> bool:
    check = 11 - weighted(text, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return text[0] in "1235689" and (0 if check > 9 else check) == int(text[8])


def nl_bsn(text: str) -> bool:
    return int(text) > 0 and weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be_rrn(text: str) -> bool:
    """97 less the first nine digits modulo 97; from 2000 on with a 2 in front."""
    return int(text[9:]) in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def ch_ahv(text: str) -> bool:
    """EAN-13 with the prefix of Switzerland."""
    return (10 - weighted(text, (1, 3) * 6) % 10) % 10 == int(text[12])


def at_svnr(text: str) -> bool:
    return weighted(text, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(text[3]) and _day(int(text[4:6]), int(text[6:8]))


def pl_pesel(text: str) -> bool:
    return weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0 and _day(int(text[4:6]), int(text[2:4]) % 20)


def cz_rodne_cislo(text: str) -> bool:
    return int(text) % 11 == 0 and _day(int(text[4:6]), int(text[2:4]) % 50 % 20)


def se_personnummer(text: str) -> bool:
    return luhn(text[-10:]) and _day(int(text[-6:-4]) % 60, int(text[-8:-6]))


def no_fodselsnummer(text: str) -> bool:
    first = weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def fi_hetu(text: str) -> bool:
    digits = text.replace("A", "", 1) if text[6] == "A" else text
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits[:9]) % 31] == digits[9]


def dk_cpr(text: str) -> bool:
    """The modulus of numbers given out until 2007."""
    return weighted(text, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and _day(int(text[:2]), int(text[2:4]))


def ie_pps(text: str) -> bool:
    second = LETTERS.index(text[8]) + 1 if len(text) > 8 and text[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(text, (8, 7, 6, 5, 4, 3, 2)) + second * 9) % 23] == text[7]


def gr_amka(text: str) -> bool:
    return luhn(text) and _day(int(text[:2]), int(text[2:4]))


def ro_cnp(text: str) -> bool:
    check = weighted(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return (1 if check == 10 else check) == int(text[12]) and _day(int(text[5:7]), int(text[3:5]))


def bg_egn(text: str) -> bool:
    return weighted(text, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(text[9]) and 1 <= int(text[4:6]) <= 31


def hu_taj(text: str) -> bool:
    return weighted(text, (3, 7, 3, 7, 3, 7, 3, 7)) % 10 == int(text[8])


def ee_isikukood(text: str) -> bool:
    """Estonia and Lithuania."""
    check = weighted(text, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(text, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == int(text[10]) and _day(int(text[5:7]), int(text[3:5]))


def tr_tckn(text: str) -> bool:
    digits = [int(sign) for sign in text]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def in_aadhaar(text: str) -> bool:
    return text[0] not in "01" and verhoeff(text)


def cn_rid(text: str) -> bool:
    """GB 11643: ISO 7064 MOD 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(text, weights) % 11] == text[17] and _day(int(text[12:14]), int(text[10:12]))


def kr_rrn(text: str) -> bool:
    check = (11 - weighted(text, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return check == int(text[12]) and _day(int(text[4:6]), int(text[2:4]))


def jp_my_number(text: str) -> bool:
    rest = weighted(text, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest < 2 else 11 - rest) == int(text[11])


def tw_id(text: str) -> bool:
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return weighted(f"{code}{text[1:]}", (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


def sg_nric(text: str) -> bool:
    total = weighted(text[1:], (2, 7, 6, 5, 4, 3, 2)) + (4 if text[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK")[total % 11] == text[8]


def th_id(text: str) -> bool:
    return (11 - weighted(text, (13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 10 == int(text[12])


def au_tfn(text: str) -> bool:
    return weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def au_medicare(text: str) -> bool:
    return text[0] in "23456" and weighted(text, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(text[8])


def br_cpf(text: str) -> bool:
    if len(set(text)) == 1:
        return False
    first = weighted(text, (10, 9, 8, 7, 6, 5, 4, 3, 2)) * 10 % 11 % 10
    return (
        first == int(text[9])
        and weighted(text, (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) * 10 % 11 % 10 == int(text[10])
    )  # fmt: skip


def mx_curp(text: str) -> bool:
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(sign) * (18 - place) for place, sign in enumerate(text[:17]))
    return (10 - total % 10) % 10 == int(text[17])


def ar_cuit(text: str) -> bool:
    check = 11 - weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return check != 10 and check % 11 == int(text[10])


def cl_rut(text: str) -> bool:
    total = sum(int(sign) * (2 + place % 6) for place, sign in enumerate(reversed(text[:-1])))
    return "0123456789K0"[11 - total % 11] == text[-1]


def za_id(text: str) -> bool:
    return luhn(text) and _day(int(text[4:6]), int(text[2:4]))


def hr_oib(text: str) -> bool:
    return mod11_10(text)


def il_id(text: str) -> bool:
    return int(text) > 0 and luhn(text)
