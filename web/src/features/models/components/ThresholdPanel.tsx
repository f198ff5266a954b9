import type { AssetModel } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { formatValue } from "@/ui/format";
import classes from "./Models.module.css";

/** Where the machine speaks now, and how feedback moved that. */
export function ThresholdPanel({ thresholds }: { thresholds: AssetModel["thresholds"] }) {
  if (thresholds.length === 0) return null;
  return (
    <Panel title="Threshold now">
      <dl className={classes.figures}>
        {thresholds.map(({ regime, learned, now, labels, alarms_per_week }) => (
          <div key={regime}>
            <dt>{thresholds.length === 1 ? "Above this ratio it speaks" : `In way ${regime + 1} of running it`}</dt>
            <dd>
              <span className={classes.figure}>{formatValue(now)}</span>
              <span className={classes.beside}>
                {moved(learned, now, labels)}
                {alarms_per_week === null ? "" : `; about ${formatValue(alarms_per_week)} false alarms a week`}
              </span>
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function moved(learned: number, now: number, labels: number): string {
  if (labels === 0) return "as learned; nobody has judged a finding of it yet";
  const answers = labels === 1 ? "1 answer" : `${labels} answers`;
  const way = now > learned ? "raised" : now < learned ? "lowered" : "left";
  return `${way} from ${formatValue(learned)} by ${answers} of people`;
}
