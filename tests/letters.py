# SPDX-License-Identifier: GPL-3.0-or-later
"""Letters as a scanner sees them, and how far a text is from what was printed."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DPI = 200
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
"""DejaVu as in Debian's fonts-dejavu, and the STIX fonts, which resemble Times."""
LETTERS = {
    "English": """Dear Ms Carter,
thank you for your letter of 14 March 2024. The annual premium for your household
insurance rises to 248.60 EUR and is due on 1 April 2024. Please transfer the amount
to our account, quoting the contract number HV-2024-00815, or give us a direct debit
mandate. If you do not agree with the change, you may cancel the contract in writing
within one month. Bicycles are covered only while they are locked.
Jonathan Whitfield, Customer Service (0800 555 0123)""",
    "German": """Sehr geehrte Frau Müller,
vielen Dank für Ihre Anfrage vom 3. Mai 2023. Die Jahresprämie für Ihre Wohnung
in der Königsallee 12 beträgt künftig 248,60 € und ist am 1. Juni fällig. Bitte
überweisen Sie den Betrag unter Angabe der Nummer HV-2024-00815 auf unser Konto.
Die Straße zum Gebäude wird gesperrt; Fußgänger können den Übergang benutzen.
Für Schäden an Möbeln und Gemälden haften wir bis zu 15.000 € (siehe § 7).
Mit freundlichen Grüßen, Ihre Versicherung Österreich & Süd AG""",
}


def page(text: str, font: str = "DejaVuSans", points: float = 11) -> Image.Image:
    """Return a page of A4 with this text, at 200 dots an inch."""
    image = Image.new("L", (round(8.27 * DPI), round(11.69 * DPI)), 255)
    drawing = ImageDraw.Draw(image)
    printed = ImageFont.truetype(FONTS / f"{font}.ttf", round(points * DPI / 72))
    for number, line in enumerate(text.splitlines()):
        drawing.text((0.9 * DPI, (0.9 + number * points * 1.4 / 72) * DPI), line, font=printed, fill=20)
    return image


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """Return a page that was not laid straight on the scanner."""
    return image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)


def noisy(image: Image.Image, seed: int = 1) -> Image.Image:
    """Return a page that was copied badly: blurred, grey, with noise and dots."""
    source = np.random.default_rng(seed)
    values = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32) * 0.85 + 20
    values += source.normal(0, 25, values.shape)
    dots = source.random(values.shape)
    values[dots < 0.002], values[dots > 0.998] = 0, 255
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def written(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Return a picture as a file."""
    out = BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def error_rate(printed: str, text: str) -> float:
    """Return the share of characters that have to be changed, added or removed (Levenshtein), blanks included."""
    printed, text = " ".join(printed.split()), " ".join(text.split())
    places = np.arange(len(text) + 1)
    characters = np.array([ord(character) for character in text])
    costs = places.copy()
    for number, character in enumerate(printed, 1):
        cheapest = np.minimum(costs[1:] + 1, costs[:-1] + (characters != ord(character)))
        costs = np.minimum.accumulate(np.concatenate([[number], cheapest]) - places) + places
    return int(costs[-1]) / len(printed)
