"""One table says which role may do what; one function answers, with the reason."""

from collections.abc import Iterable, Mapping
from typing import Final

from forewarn.domain.access import EVERYWHERE, Action, Decision, Grant, Principal, Role, Scope, within

_LOOK: Final = frozenset({Action.READ, Action.OWN_SESSION})
ALLOWED: Final[Mapping[Role, frozenset[Action]]] = {
    Role.TECHNICIAN: _LOOK | {Action.ACT_ON_ALARMS, Action.JUDGE_ANOMALIES},
    Role.PLANT_ENGINEER: _LOOK
    | {
        Action.ACT_ON_ALARMS,
        Action.JUDGE_ANOMALIES,
        Action.EXPORT,
        Action.INGEST,
        Action.TRAIN_MODELS,
        Action.READ_SITE,
        Action.ASK_GATEWAYS,
        Action.RUN_SIMULATION,
    },
    Role.PLANT_HEAD: _LOOK | {Action.ACT_ON_ALARMS, Action.JUDGE_ANOMALIES, Action.EXPORT, Action.READ_SITE},
    Role.MANAGEMENT: _LOOK | {Action.EXPORT},
    Role.AUDITOR: _LOOK | {Action.EXPORT, Action.READ_SITE, Action.READ_ACCESS, Action.READ_AUDIT},
    Role.ADMIN: frozenset(Action),
    Role.GATEWAY: frozenset({Action.INGEST, Action.OWN_SESSION}),
}
# What concerns the site as a whole: a role on a part of the plant does not give it.
SITE_WIDE: Final = frozenset(
    {
        Action.READ_SITE,
        Action.ASK_GATEWAYS,
        Action.RUN_SIMULATION,
        Action.READ_ACCESS,
        Action.MANAGE_ACCESS,
        Action.READ_AUDIT,
    }
)


def may(principal: Principal, action: Action) -> Decision:
    """Whether they may anywhere at all. Who was given a password has nothing but an account until it is changed."""
    if principal.must_change and action is not Action.OWN_SESSION:
        return Decision(False, "choose a password of your own first (POST /api/v1/session/password)")
    return decide(principal.grants, action)


def decide(grants: Iterable[Grant], action: Action, path: str | None = None) -> Decision:
    """Whether the grants allow `action` at `path` (None: anywhere at all), and why or why not."""
    if action is Action.OWN_SESSION:
        return Decision(True, "everybody has an account of their own")
    held = tuple(grants)
    able = [grant for grant in held if action in ALLOWED[grant.role]]
    if not able:
        roles = ", ".join(sorted({grant.role.value for grant in held})) or "none"
        return Decision(False, f"{action.value} is not among what your roles may do ({roles})")
    if action in SITE_WIDE:
        able = [grant for grant in able if grant.path == EVERYWHERE]
        if not able:
            return Decision(False, f"{action.value} concerns the whole site; your role covers a part of it")
    here = [grant for grant in able if path is None or within(path, grant.path)]
    if not here:
        return Decision(False, f"{action.value} is not allowed to you at {path}")
    return Decision(True, f"{here[0].role.value} at {here[0].path or 'every place'}")


def scope(grants: Iterable[Grant], action: Action) -> Scope:
    """Where the grants allow `action`."""
    paths = sorted({grant.path for grant in grants if action in ALLOWED[grant.role]})
    return Scope(tuple(p for p in paths if not any(within(p, other) for other in paths if other != p)))
