"""Which passwords are good enough to be chosen."""

import unicodedata
from typing import Any, Final

from zxcvbn import matching, scoring, time_estimates

from forewarn.policies.person_names import folded

SHORTEST: Final = 12
LONGEST: Final = 128
# zxcvbn's scale: 3 is more than 10^8 guesses, "safely unguessable" where a guess costs an Argon2 hash.
_FLOOR: Final = 3
# Its work grows with the cube of the length (8 s for 126 odd characters); what is hard to guess in the
# first of them is not made easier by what follows.
_JUDGED: Final = 32
_NAME_PART: Final = 3


def typed(password: str) -> str:
    """As it is hashed and checked: keyboards and systems write the same letters in different ways."""
    return unicodedata.normalize("NFKC", password)


def faults(password: str, name: str, full_name: str = "") -> tuple[str, ...]:
    """What `password` lacks, in words for who chose it; empty = good enough."""
    if len(password) < SHORTEST:
        return (f"it has {len(password)} characters; {SHORTEST} are the least",)
    if len(password) > LONGEST:
        return (f"it has {len(password)} characters; {LONGEST} are the most",)
    if not password.isprintable():
        return ("it holds a character that cannot be seen or typed",)
    own = _own_words(name, full_name)
    left = folded(password)
    for word in sorted(own, key=len, reverse=True):
        left = left.replace(word, "")
    found = []
    if len(left) < len(folded(password)) and len(left) < SHORTEST // 2:
        found.append("it is little more than the account's name")
    if _score(password, own) < _FLOOR:
        found.append(
            "it is easy to guess: common words, rows of keys, repeats and dates come first; take a few rare words"
        )
    return tuple(found)


def _own_words(name: str, full_name: str) -> list[str]:
    words = {folded(name), folded(full_name), *folded(full_name).split(), *folded(name).replace(".", " ").split()}
    return sorted(word for word in words if len(word) >= _NAME_PART)


def _score(password: str, own: list[str]) -> int:
    """zxcvbn's score, 0 to 4. Its own entry keeps the account's words in a global that threads would share."""
    text = typed(password)[:_JUDGED]
    known: dict[str, Any] = {**matching.RANKED_DICTIONARIES, "user_inputs": matching.build_ranked_dict(own)}
    matches = matching.omnimatch(text, known)
    guesses = scoring.most_guessable_match_sequence(text, matches)["guesses"]
    score: int = time_estimates.estimate_attack_times(guesses)["score"]
    return score
