"""What a page says in words, when it shows nothing: that something is gone, or that something comes first."""

import re

from scraper.stores.document import Document
from scraper.stores.records import Saying

#: Only the beginning of a page is searched, characters.
_SEARCHED = 20_000

#: The pages of a store have more words; what stands before them, or in their place, has fewer.
_FEW_WORDS = 80

_GONE = (
    *("no longer available", "no longer exists", "no longer exist", "no longer in stock", "no longer sold"),
    *("sold out", "out of stock", "nothing in stock", "not in stock", "discontinued", "not found"),
    *("nothing found", "nothing was found", "no product", "no products", "no items", "no results"),
    *("ausverkauft", "nicht mehr verfügbar", "nicht mehr lieferbar", "nicht gefunden"),
    *("keine produkte", "keine artikel", "keine ergebnisse"),
    *("épuisé", "épuisée", "plus disponible", "introuvable", "aucun produit", "aucun article"),
    *("agotado", "no está disponible", "no encontrado", "no encontrada", "no hay productos"),
    *("esaurito", "non più disponibile", "non trovata", "nessun prodotto"),
)
_WALL = (
    *("log in", "login", "log on", "sign in", "password", "einloggen", "anmelden", "passwort"),
    *("privacy", "consent", "accept cookies", "your age", "are you 18", "are you 21", "over 18", "over 21"),
    *("years old", "your region", "your country", "maintenance", "wartung", "back soon", "be right back"),
    *("too many requests", "slow down", "too fast", "rate limit", "busy", "overloaded", "high demand"),
    *("queue", "waiting room", "captcha", "robot", "verify", "access denied", "blocked", "unusual traffic"),
    *("try again later", "temporarily unavailable", "service unavailable"),
)


def saying(document: Document) -> Saying:
    """What a page without products says; a wall has few words, since every page may link to a login."""
    words = re.findall(r"\w+", document.soup.get_text(" ")[:_SEARCHED].casefold())
    text = f" {' '.join(words)} "
    few = len(words) < _FEW_WORDS
    if few and document.soup.select_one('input[type="password" i]') is not None:
        return "wall"
    if _contains(text, _GONE):
        return "gone"
    return "wall" if few and _contains(text, _WALL) else ""


def _contains(text: str, phrases: tuple[str, ...]) -> bool:
    return any(f" {phrase} " in text for phrase in phrases)
