import { Drawer, Timeline } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Alarm } from "@/api/types";
import { Empty, ErrorPanel, Rows } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatDuration, formatTime, formatUnit, formatLimit, formatQuantity, prose, sentence, zoneName } from "@/ui/format";
import { journalQuery } from "../api/alarms";
import classes from "./JournalDrawer.module.css";

interface JournalDrawerProps {
  alarm: Alarm | null;
  onClose: () => void;
}

/** What the alarm means, what to do about it, and all that ever happened to it. */
export function JournalDrawer({ alarm, onClose }: JournalDrawerProps) {
  return (
    <Drawer
      opened={alarm !== null}
      onClose={onClose}
      position="right"
      title={alarm ? <strong>{prose(alarm.title)}</strong> : null}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {alarm ? <Content alarm={alarm} /> : null}
    </Drawer>
  );
}

/** What the rule watches for, in words. */
function limitOf({ condition, threshold, unit }: Alarm): string {
  if (condition === "above") return `Above ${formatLimit(threshold)} ${formatUnit(unit)}`;
  if (condition === "below") return `Below ${formatLimit(threshold)} ${formatUnit(unit)}`;
  if (condition === "silent") return `No reading for ${formatDuration(threshold)}`;
  return `A detector's score of ${formatLimit(threshold)} or more, of 1`;
}

function Content({ alarm }: { alarm: Alarm }) {
  const { data, error, refetch } = useQuery(journalQuery(alarm.id));
  return (
    <>
      <dl className={classes.facts}>
        <dt>Machine</dt>
        <dd>{alarm.asset_name}</dd>
        <dt>Priority</dt>
        <dd>
          <StateMark name={alarm.priority} />
        </dd>
        <dt>Raised when</dt>
        <dd className="num">
          {limitOf(alarm)}
        </dd>
        <dt>Cause</dt>
        <dd>{alarm.cause || "–"}</dd>
        <dt>Consequence</dt>
        <dd>{alarm.consequence || "–"}</dd>
        <dt>Action</dt>
        <dd>
          <strong>{alarm.action || "–"}</strong>
        </dd>
        <dt>Respond within</dt>
        <dd className="num">{formatDuration(alarm.response_minutes * 60)}</dd>
      </dl>
      <h3 className={classes.head}>
        Journal <span className="muted">times in {zoneName()}</span>
      </h3>
      {error ? <ErrorPanel error={error} onRetry={() => void refetch()} /> : null}
      {!data && !error ? <Rows count={4} /> : null}
      {data?.events.length === 0 ? <Empty title="Nothing has happened to this alarm yet" /> : null}
      {data?.events.length ? (
        <Timeline bulletSize={12} lineWidth={2}>
          {data.events.map((event) => (
            <Timeline.Item key={`${event.at}${event.kind}`} title={sentence(event.kind)}>
              <div className={`${classes.line} num`}>
                {formatTime(event.at)}
                {event.by ? ` by ${event.by}` : ""}
                {event.value === null ? "" : `, at ${formatQuantity(event.value, alarm.unit)} ${formatUnit(alarm.unit)}`}
              </div>
              {event.comment ? <div className={classes.comment}>{event.comment}</div> : null}
            </Timeline.Item>
          ))}
        </Timeline>
      ) : null}
    </>
  );
}
