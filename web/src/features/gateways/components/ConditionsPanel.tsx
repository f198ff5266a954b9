import type { GatewayCondition } from "@/api/types";
import { Empty, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatCount, formatTime, prose } from "@/ui/format";
import { conditionMark, conditionWord } from "../words";
import classes from "./Gateways.module.css";

interface ConditionsPanelProps {
  now: readonly GatewayCondition[];
  journal: readonly GatewayCondition[];
}

/** What is wrong with a gateway or a device of it, what to do, and what was wrong before. */
export function ConditionsPanel({ now, journal }: ConditionsPanelProps) {
  return (
    <Panel title="Conditions" flush>
      {now.length === 0 ? (
        <Empty title="Nothing is wrong">Every state that needs a hand has a name and stands here, with what to do.</Empty>
      ) : (
        <Conditions conditions={now} />
      )}
      {journal.length ? (
        <details className={classes.ended}>
          <summary>
            {journal.length === 1 ? "1 that ended" : `${journal.length} that ended`} in the last 90 days
          </summary>
          <Conditions conditions={journal} />
        </details>
      ) : null}
    </Panel>
  );
}

function Conditions({ conditions }: { conditions: readonly GatewayCondition[] }) {
  return (
    <ul className={classes.conditions}>
      {conditions.map((one) => (
        <li key={`${one.code}/${one.subject}/${one.since}`}>
          <StateMark name={one.ended_at ? "normal" : conditionMark(one.code)} compact />
          <span>
            <strong>{conditionWord(one.code)}</strong> {one.subject ? <>on {one.subject} </> : null}
            <span className="muted num">
              since {formatTime(one.since)}
              {one.ended_at ? ` until ${formatTime(one.ended_at)}` : ""}
              {one.count > 1 ? `, ${formatCount(one.count)} times` : ""}
            </span>
          </span>
          <span className={classes.text}>
            {prose(one.text)}
            {one.remedy && !one.ended_at ? <span className={classes.remedy}>{one.remedy}</span> : null}
          </span>
        </li>
      ))}
    </ul>
  );
}
