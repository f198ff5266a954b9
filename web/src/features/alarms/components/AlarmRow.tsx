import { Checkbox } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { useLatest } from "@/api/latest";
import type { Alarm } from "@/api/types";
import { StateMark } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, formatQuantity, formatTime, formatUnit, prose, secondsSince, sentence, zoneName } from "@/ui/format";
import classes from "./AlarmRow.module.css";

interface AlarmRowProps {
  alarm: Alarm;
  selected: boolean;
  /** Null for those who may not act on alarms. */
  onSelect: ((id: string, on: boolean) => void) | null;
  onOpen: (id: string) => void;
  answer?: { ok: boolean; detail: string };
}

/** One alarm: how urgent, what, where, in which state, since when. */
export const AlarmRow = memo(function AlarmRow({ alarm, selected, onSelect, onOpen, answer }: AlarmRowProps) {
  return (
    <li
      className={classes.row}
      data-alarm-row={alarm.id}
      data-state={alarm.state}
      data-selected={selected || undefined}
      tabIndex={-1}
    >
      {onSelect ? (
        <Checkbox
          aria-label={`Select ${alarm.title}, ${alarm.asset_name}`}
          checked={selected}
          onChange={(e) => onSelect(alarm.id, e.currentTarget.checked)}
          size="sm"
          className={classes.check}
        />
      ) : (
        <span className={classes.check} />
      )}
      <span className={classes.priority}>
        <StateMark name={alarm.priority} />
      </span>
      <span className={classes.what}>
        <button type="button" className={classes.title} onClick={() => onOpen(alarm.id)}>
          {prose(alarm.title)}
        </button>
        <span className={classes.where}>
          <Link to="/assets/$id" params={{ id: alarm.asset_id }} className={classes.asset}>
            {alarm.asset_name}
          </Link>
          {alarm.action ? <span className={classes.advice}>{alarm.action}</span> : null}
        </span>
        {answer && !answer.ok ? (
          <span className={classes.refused} role="status">
            Not done: {answer.detail}
          </span>
        ) : null}
      </span>
      <span className={classes.state}>
        <StateWord alarm={alarm} />
      </span>
      <ValueNow alarm={alarm} />
      <RaisedAge at={alarm.raised_at} />
      <span className={`${classes.times} num`}>{alarm.occurrences > 1 ? `${alarm.occurrences} times` : ""}</span>
    </li>
  );
});

/** Names of the columns, for the eye; the rows say it all to a screen reader. */
export function AlarmHeads() {
  return (
    <div className={classes.heads} aria-hidden="true">
      <span />
      <span>Priority</span>
      <span>Alarm, machine and what to do</span>
      <span>State</span>
      <span className={classes.value}>Value now</span>
      <span>Raised ({zoneName()})</span>
      <span>Repeats</span>
    </div>
  );
}

/** The signal as it is; before the first live reading, as it was when the alarm last changed. */
function ValueNow({ alarm }: { alarm: Alarm }) {
  const latest = useLatest(alarm.signal_id);
  const value = latest ? latest.value : alarm.value;
  const shown = value === null ? "–" : `${formatQuantity(value, alarm.unit)} ${formatUnit(alarm.unit)}`;
  return (
    <span className={`${classes.value} num`}>
      {latest || value === null ? shown : <span className="muted">was {shown}</span>}
    </span>
  );
}

function RaisedAge({ at }: { at: string | null }) {
  const now = useNow(5_000);
  return (
    <span className={`${classes.raised} num`}>
      {formatTime(at, now)} <span className="muted">{formatDuration(secondsSince(at, now))} ago</span>
    </span>
  );
}

/** The ISA-18.2 state in words, with the name or the countdown that belongs to it. */
export function StateWord({ alarm }: { alarm: Alarm }) {
  const now = useNow();
  const active = alarm.active ? "still active" : "back to normal";
  if (alarm.state === "unacknowledged") {
    return (
      <span className={classes.unack}>
        Unacknowledged <span className="muted">{active}</span>
      </span>
    );
  }
  if (alarm.state === "shelved") {
    const left = secondsSince(alarm.shelved_until, now);
    return (
      <span>
        Shelved <span className="muted num">{left === null ? "" : `${formatDuration(-left)} left`}</span>
      </span>
    );
  }
  if (alarm.state === "returned") {
    return (
      <span>
        Returned <span className="muted">{alarm.latched ? "latched, reset it" : "not acknowledged"}</span>
      </span>
    );
  }
  const by = alarm.state === "acknowledged" && alarm.acknowledged_by ? `by ${alarm.acknowledged_by}` : "";
  return (
    <span>
      {sentence(alarm.state)} <span className="muted">{by || active}</span>
    </span>
  );
}
