# SPDX-License-Identifier: GPL-3.0-or-later
"""Languages of passages as households have them: short, with numbers and names."""

from __future__ import annotations

import pytest

from tars_app.adapters.passage_words import UNDECIDED
from tars_app.documents.languages import language_of

TEXTS = {
    "german": [
        "Die Kündigungsfrist beträgt drei Monate zum Monatsende.",
        "Heizkostenabrechnung 2023: Nachzahlung 112,40 Euro, zahlbar bis zum 15. März.",
        "Kaution: 3.540 Euro, eingezahlt auf ein Sparkonto.",
        "Stadtwerke Pinnau, Gasrechnung für 2022\nRechnungsnummer: GR-2022-31207 vom 25. Januar 2023",
        "Seriennummer: SX660-19-04482. Gekauft am 12. September 2022 bei Elektro Ramm, fünf Jahre Garantie.",
    ],
    "english": [
        "The monthly rent is 1,180 EUR without heating.",
        "Rent is due on the third working day of each month.",
        "Monday: German, maths, music. Tuesday: sports in the small gym, bring trainers. Wednesday: swimming.",
    ],
    "french": [
        "Le loyer mensuel est de 850 euros, charges comprises, payable le premier jour du mois.",
        "Facture d'électricité du 12 mars 2024, montant à payer avant la fin du mois.",
    ],
    "dutch": ["De huur bedraagt 950 euro per maand en moet voor de eerste van de maand worden betaald."],
    "spanish": ["El alquiler mensual es de 700 euros y se paga durante los primeros cinco días del mes."],
    "italian": ["Il contratto di affitto prevede un canone mensile di 650 euro, spese escluse, da pagare ogni mese."],
    "russian": ["Договор аренды квартиры заключён на один год, арендная плата составляет тридцать тысяч рублей."],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_the_language_of_a_passage(name: str, text: str) -> None:
    assert language_of(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12.50",
        "RE-2024-00815",
        "Total: 812,40",
        "Octavia PI-RK 418",
        "Insurer: Hanse Motor Mutual. Policy number HM-2022-71844",
        "賃貸借契約書は二年ごとに更新されます。" * 3,
    ],
)
def test_what_is_not_clear_or_has_no_analyser_is_not_stemmed(text: str) -> None:
    assert language_of(text) == UNDECIDED


@pytest.mark.parametrize("text", [text for name in ("german", "english") for text in TEXTS[name]])
def test_a_part_of_a_passage_is_not_of_a_third_language(text: str) -> None:
    words = text.split()
    for length in (1, 2, 3, 5):
        for start in range(0, len(words) - length + 1):
            assert language_of(" ".join(words[start : start + length])) in ("german", "english", UNDECIDED)
