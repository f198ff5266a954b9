"""The page's sections as HTML. Every text that came from outside is escaped here, and only here."""

from collections.abc import Sequence
from html import escape
from typing import Final

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.alarms import AlarmState, Condition, Priority
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.gateways import GatewayRole, GatewayStatus, SiteState
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.plugins.outputs.local_page import words
from forewarn.plugins.outputs.local_page.rates import Rates

_SHOWN: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED)
_SET_ASIDE: Final = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
_URGENCY: Final = {priority: rank for rank, priority in enumerate(reversed(Priority))}
_STATE_WORDS: Final = {
    AlarmState.UNACKNOWLEDGED: "new",
    AlarmState.ACKNOWLEDGED: "acknowledged",
    AlarmState.RETURNED: "over, not yet acknowledged",
}
_BAD_SOURCES: Final = (SourceState.RECONNECTING, SourceState.MISCONFIGURED)
_MOST_ALARMS: Final = 100
_MOST_SILENT: Final = 20
_MOST_MACHINES: Final = 200
_SHORT: Final = 12
_SWATCH: Final = {
    name: f'<svg class="swatch" viewBox="0 0 1 1" aria-hidden="true"><rect class="{kind}" width="1" height="1"/></svg>'
    for name, kind in (("To be sent", "outbox"), ("Raw ring", "raw"))
}
_GOOD, _WATCH, _WRONG, _QUIET = "good", "watch", "wrong", "quiet"


def sections(board: StatusBoard, rates: Rates) -> dict[str, str]:
    """id of the section -> its inner HTML."""
    status = board.status()
    rates.update(status.at, status.sources)
    names = {asset.id: asset.name for asset in board.assets()}
    units = {signal.id: signal.unit for signal in board.signals()}
    alarms = board.alarms()
    if status.waits_for_disk:
        return _waiting(status)
    return {
        "head": _head(status, alarms),
        "alarms": _alarms(alarms, names, units, status.at),
        "conditions": _conditions(status),
        "sources": _sources(status, rates),
        "site": _site(status),
        "buffer": _buffer(status),
        "ledger": _ledger(status),
        "models": _models(board.models(), names),
        "about": _about(status),
    }


def _waiting(status: GatewayStatus) -> dict[str, str]:
    """Nothing that would have to be read from a disk that cannot be."""
    nothing = "Nothing is collected and no alarm is judged before the gateway's files can be opened."
    return {
        "head": _head(status, ()),
        "alarms": f'<h2>Alarms</h2><p class="none">{nothing}</p>',
        "conditions": _conditions(status),
        "sources": "",
        "site": _site(status, short=True),
        "buffer": f"<h2>Buffer</h2>{_facts([('Free on disk', words.octets(status.buffer.free_disk_bytes))])}",
        "ledger": "",
        "about": _about(status),
    }


def _head(status: GatewayStatus, alarms: Sequence[Alarm]) -> str:
    active = [alarm for alarm in alarms if alarm.status.state in _SHOWN]
    severe = any(alarm.rule.priority in (Priority.CRITICAL, Priority.HIGH) for alarm in active)
    if status.waits_for_disk:
        mood, text = _WRONG, "Waits for its disk"
    elif active:
        mood, text = (_WRONG if severe else _WATCH), f"{len(active)} alarm{'s' * (len(active) > 1)}"
    elif status.conditions:
        mood, text = _WATCH, "Needs attention"
    else:
        mood, text = _GOOD, "All well"
    return (
        f"<h1>{escape(status.name)}</h1>{_badge(mood, text)}"
        f'<p class="quiet">{_site_badge(status)} <time>{words.clock(status.at)}</time></p>'
    )


def _site_badge(status: GatewayStatus) -> str:
    state = status.uplink.state
    mood = {SiteState.CONNECTED: _GOOD, SiteState.NONE: _QUIET, SiteState.REFUSED: _WRONG}.get(state, _WATCH)
    return _badge(mood, words.SITE[state])


def _badge(mood: str, text: str) -> str:
    return f'<span class="badge {mood}">{escape(text)}</span>'


def _alarms(alarms: Sequence[Alarm], names: dict[str, str], units: dict[str, str], now: int) -> str:
    shown = [alarm for alarm in alarms if alarm.status.state in _SHOWN]
    aside = sum(alarm.status.state in _SET_ASIDE for alarm in alarms)
    shown.sort(key=_urgency)
    rows = "".join(_alarm(alarm, names, units, now) for alarm in shown[:_MOST_ALARMS])
    body = f'<ol class="alarms">{rows}</ol>' if rows else '<p class="none">No active alarms.</p>'
    if len(shown) > _MOST_ALARMS:
        body += f'<p class="quiet">and {len(shown) - _MOST_ALARMS} more</p>'
    if aside:
        body += f'<p class="quiet">{aside} shelved, suppressed or out of service</p>'
    return f"<h2>Alarms</h2>{body}"


def _urgency(alarm: Alarm) -> tuple[bool, int, bool, int]:
    status = alarm.status
    return (
        status.state is AlarmState.RETURNED,
        _URGENCY[alarm.rule.priority],
        status.state is not AlarmState.UNACKNOWLEDGED,
        -(status.raised_at or 0),
    )


def _alarm(alarm: Alarm, names: dict[str, str], units: dict[str, str], now: int) -> str:
    rule, status = alarm.rule, alarm.status
    since = f", {words.ago(status.raised_at, now)}" if status.raised_at is not None else ""
    action = f'<span class="action">{escape(rule.action)}</span>' if rule.action else ""
    over = " over" if status.state is AlarmState.RETURNED else ""
    return (
        f'<li class="{rule.priority.value}{over}"><span class="priority">{escape(rule.priority.value)}</span>'
        f"<span><strong>{escape(names.get(rule.asset_id, rule.asset_id))}</strong> {escape(rule.title)}{action}</span>"
        f'<span class="figure">{_measured(alarm, units.get(rule.signal_id, ""))}'
        f'<small class="quiet">{_STATE_WORDS[status.state]}{since}</small></span></li>'
    )


def _measured(alarm: Alarm, unit: str) -> str:
    rule, value = alarm.rule, alarm.status.value
    unit = "" if unit == "1" else unit
    if value is None or rule.condition in (Condition.FINDING, Condition.SILENT):
        return ""
    sign = "&gt;" if rule.condition is Condition.ABOVE else "&lt;"
    return f"<b>{words.number(value)}</b> {sign} {words.number(rule.threshold)} {escape(unit)} "


def _conditions(status: GatewayStatus) -> str:
    """Those of the gateway itself, and of anything that is not a source; sources show their own."""
    sources = {source.name for source in status.sources}
    mine = [held for held in status.conditions if held.subject not in sources]
    return f"<h2>States of this gateway</h2>{_held(mine, status.at, named=True)}" if mine else ""


def _held(conditions: Sequence[GatewayCondition], now: int, *, named: bool) -> str:
    rows = "".join(
        f"<li>{f'<strong>{escape(held.subject)}</strong> ' if named and held.subject else ''}"
        f'<span class="code">{escape(_title(held.code))}</span> {escape(held.text)}'
        f'<small class="quiet"> for {words.span(max(now - held.since, 0) / 1e6)}'
        f"{f', {words.count_of(held.count)} times' if held.count > 1 else ''}</small>{_remedy(held)}</li>"
        for held in conditions
    )
    return f'<ul class="held">{rows}</ul>' if rows else ""


def _remedy(held: GatewayCondition) -> str:
    return f'<span class="remedy">{escape(held.remedy)}</span>' if held.remedy else ""


def _title(code: ConditionCode) -> str:
    return words.CONDITION.get(code, code.value)


def _sources(status: GatewayStatus, rates: Rates) -> str:
    cards = "".join(_source(source, status, rates.of(source.name)) for source in status.sources)
    silent = ""
    if status.silent:
        listed = ", ".join(escape(name) for name in status.silent[:_MOST_SILENT])
        more = f" and {len(status.silent) - _MOST_SILENT} more" if len(status.silent) > _MOST_SILENT else ""
        silent = f'<p class="quiet">Nothing heard of {listed}{more}.</p>'
    body = cards or '<p class="none">No sources: this gateway collects nothing.</p>'
    return f"<h2>Connectors</h2>{body}{silent}"


def _source(source: SourceStatus, status: GatewayStatus, rate: float | None) -> str:
    mine = [held for held in status.conditions if held.subject == source.name]
    mood = _WRONG if source.state in _BAD_SOURCES else _GOOD if source.state is SourceState.CONNECTED else _WATCH
    facts = [
        ("Rate", "—" if rate is None else f"{words.number(rate)} /s"),
        ("Last reading", words.ago(source.last_reading_at, status.at)),
        ("Delay and clock", "—" if source.delay_s is None else words.span(source.delay_s)),
        ("Readings", words.count_of(source.readings)),
        ("Rejected", words.count_of(source.rejected)),
        ("Reconnects", words.count_of(source.reconnects)),
    ]
    said = {held.text for held in mine}
    error = (
        f'<p class="quiet">{escape(source.last_error)}</p>'
        if source.last_error and source.last_error not in said
        else ""
    )
    since = words.span(max(status.at - source.state_since, 0) / 1e6)
    return (
        f'<article class="card"><h3>{escape(source.name)} <small class="quiet">{escape(source.connector)}</small></h3>'
        f'{_badge(mood, words.SOURCE[source.state])} <small class="quiet">for {since}</small>'
        f"{_facts(facts)}{_held(mine, status.at, named=False)}{error}</article>"
    )


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f"<div><dt>{_SWATCH.get(name, '')}{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts
    )
    return f"<dl>{rows}</dl>"


def _site(status: GatewayStatus, *, short: bool = False) -> str:
    uplink = status.uplink
    offset = "not measured"
    if uplink.clock_offset_s is not None:
        offset = f"{words.span(uplink.clock_offset_s)} ± {words.span((uplink.round_trip_s or 0) / 2)}"
    facts = [
        ("Live data is behind by", words.span(uplink.live_lag_s)),
        ("Last acknowledged", words.ago(uplink.last_acknowledged_at, status.at)),
        ("Backlog", f"{words.count_of(uplink.backlog_readings)} readings, {words.octets(uplink.backlog_bytes)}"),
        ("Site's clock minus ours", offset),
        ("Sent", words.octets(uplink.sent_bytes)),
    ]
    if uplink.oldest_backlog_at is not None:
        facts.insert(3, ("Oldest in the backlog", words.ago(uplink.oldest_backlog_at, status.at)))
    error = f'<p class="quiet">{escape(uplink.last_error)}</p>' if uplink.last_error else ""
    url = "" if uplink.url in uplink.last_error else f'<p class="quiet">{escape(uplink.url)}</p>'
    since = words.span(max(status.at - uplink.state_since, 0) / 1e6)
    told = "" if short else _facts(facts)
    return f'<h2>Site</h2>{_site_badge(status)} <small class="quiet">for {since}</small>{told}{error}{url}'


def _buffer(status: GatewayStatus) -> str:
    buffer = status.buffer
    budget = max(buffer.budget_bytes, 1)
    outbox, raw = (min(100.0, 100 * size / budget) for size in (buffer.outbox_bytes, buffer.raw_bytes))
    used = buffer.outbox_bytes + buffer.raw_bytes
    facts = [
        ("To be sent", words.octets(buffer.outbox_bytes)),
        ("Raw ring", words.octets(buffer.raw_bytes)),
        ("Budget", words.octets(buffer.budget_bytes)),
        ("Free on disk", words.octets(buffer.free_disk_bytes)),
    ]
    if buffer.raw_from is not None:
        facts.append(("Raw data since", words.ago(buffer.raw_from, status.at)))
    if buffer.full_in_s is not None:
        facts.append(("Thinned further in", words.span(buffer.full_in_s)))
    return (
        f'<h2>Buffer</h2><svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" '
        f'aria-label="{100 * used / budget:.0f} percent of the budget used">'
        f'<rect class="outbox" width="{outbox:.2f}" height="6"/>'
        f'<rect class="raw" x="{outbox:.2f}" width="{min(raw, 100 - outbox):.2f}" height="6"/></svg>'
        f"<p>{100 * used / budget:.0f} % of the budget used</p>{_facts(facts)}"
    )


def _ledger(status: GatewayStatus) -> str:
    ledger = status.ledger
    rows = [
        ("Read", ledger.read, ""),
        ("thinned away as normal", ledger.thinned, "in"),
        ("still in hand", ledger.in_hand, "in"),
        ("kept to be sent", ledger.kept, "in"),
        ("acknowledged by the site", ledger.acknowledged, "in2"),
        ("waiting", ledger.pending, "in2"),
        ("refused by the site", ledger.refused, "in2"),
        ("left to the partner", ledger.left_to_partner, "in2"),
        ("thinned early to save space", ledger.thinned_early, "in2"),
    ]
    body = "".join(
        f'<tr class="{depth}"><th>{name}</th><td>{words.count_of(sum_)}</td></tr>' for name, sum_, depth in rows
    )
    verdict = (
        _badge(_GOOD, "Adds up: every reading is accounted for")
        if ledger.adds_up
        else _badge(_WRONG, "Does not add up")
    )
    beside = f"{words.count_of(ledger.rejected)} rejected, {words.count_of(ledger.duplicate)} came twice"
    return f'<h2>Ledger</h2>{verdict}<table>{body}</table><p class="quiet">{beside}; neither counts as read.</p>'


def _models(held: HeldModels, names: dict[str, str]) -> str:
    """Empty where there are none and none is wanted."""
    machines = sorted({*held.acting, *held.refused})
    if not machines:
        return ""
    rows = "".join(
        f"<tr><th>{escape(names.get(asset_id, asset_id))}</th><td>{_model(held, asset_id)}</td></tr>"
        for asset_id in machines[:_MOST_MACHINES]
    )
    more = f'<p class="quiet">and {len(machines) - _MOST_MACHINES} more</p>' if len(machines) > _MOST_MACHINES else ""
    moved = (
        '<p class="quiet">Thresholds are used as people\'s words at the site moved them.</p>' if held.thresholds else ""
    )
    keys = f'<p class="quiet">Believed are models signed by {escape(", ".join(held.keys) or "nobody")}.</p>'
    return f"<h2>Models</h2><table>{rows}</table>{more}{moved}{keys}"


def _model(held: HeldModels, asset_id: str) -> str:
    refused, version = held.refused.get(asset_id), held.acting.get(asset_id)
    state = (
        _badge(_GOOD, "In use")
        if refused is None
        else _badge(_WRONG if version is None else _WATCH, f"{words.REFUSED.get(refused, refused)}")
    )
    used = "" if version is None else f' <span class="key">{escape(version[:_SHORT])}</span>'
    return f"{state}{used}"


def _about(status: GatewayStatus) -> str:
    partner = f" Partner {status.partner}." if status.partner and status.role is not GatewayRole.ALONE else ""
    text = (
        f"Forewarn {status.version}. {words.ROLE[status.role]}.{partner} {words.count_of(status.signals)} signals. "
        f"Started {words.moment(status.started_at)}. {words.octets(status.resident_bytes)} of memory."
    )
    key = f'<br>Public key <span class="key">{escape(status.public_key)}</span>' if status.public_key else ""
    return f"<p>{escape(text)}{key}</p>"
