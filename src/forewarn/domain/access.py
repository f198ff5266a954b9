"""Who may do what, where: roles on paths of the plant."""

from dataclasses import dataclass
from enum import StrEnum

EVERYWHERE = ""


class Action(StrEnum):
    """What a request does. Every route has one, or is public."""

    READ = "plant.read"  # machines, readings, anomalies, alarms, the live feed
    EXPORT = "readings.export"
    INGEST = "readings.write"
    ACT_ON_ALARMS = "alarms.act"
    JUDGE_ANOMALIES = "anomalies.judge"
    TRAIN_MODELS = "models.train"  # learn machines, say which model acts
    READ_SITE = "site.read"  # sources, sizes, metrics
    ASK_GATEWAYS = "gateways.ask"  # raw readings out of their rings
    RUN_SIMULATION = "simulation.run"
    READ_ACCESS = "access.read"  # people, machines, roles, sessions
    MANAGE_ACCESS = "access.manage"
    READ_AUDIT = "audit.read"
    OWN_SESSION = "session.own"  # one's own account: whoever is signed in


class Role(StrEnum):
    PLANT_ENGINEER = "plant_engineer"
    TECHNICIAN = "technician"
    PLANT_HEAD = "plant_head"
    MANAGEMENT = "management"
    ADMIN = "admin"
    AUDITOR = "auditor"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a path of the plant and all below it. path: `enterprise/site/area/line` or a beginning of it, whole
    names only; EVERYWHERE for all."""

    role: Role
    path: str = EVERYWHERE


class PrincipalKind(StrEnum):
    PERSON = "person"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. name: unique among its kind; for a machine the gateway it speaks for.

    session_id: what to revoke; of a machine its key. must_change: nothing works before a new password is set."""

    kind: PrincipalKind
    id: str
    name: str
    grants: tuple[Grant, ...]
    session_id: str
    must_change: bool = False

    @property
    def label(self) -> str:
        """As journal and audit name it."""
        return self.name if self.kind is PrincipalKind.PERSON else f"gateway {self.name}"


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the plant that something is allowed in: paths, none of which lies within another; none = nowhere."""

    paths: tuple[str, ...]

    @property
    def everywhere(self) -> bool:
        return self.paths == (EVERYWHERE,)

    def holds(self, path: str) -> bool:
        return any(within(path, allowed) for allowed in self.paths)


ALL = Scope((EVERYWHERE,))


def within(path: str, ancestor: str) -> bool:
    """Whether `path` is `ancestor` or lies below it; `acme/pune` holds `acme/pune/hall`, not `acme/pune2`."""
    return ancestor == EVERYWHERE or path == ancestor or path.startswith(ancestor + "/")
