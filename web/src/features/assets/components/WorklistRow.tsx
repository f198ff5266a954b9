import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { useLatest } from "@/api/latest";
import type { AssetSummary, SignalSeries } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { StateMark } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, formatUnit, formatValue, secondsSince, sentence } from "@/ui/format";
import classes from "./Worklist.module.css";

interface RowProps {
  asset: AssetSummary;
  spark?: SignalSeries;
}

/** One machine: what state it is in, why, since when, and the signal that says most. */
export const WorklistRow = memo(function WorklistRow({ asset, spark }: RowProps) {
  return (
    <li className={classes.item}>
      <Link
        to="/assets/$id"
        params={{ id: asset.id }}
        className={classes.row}
        data-worklist-row
        data-abnormal={asset.condition === "critical" || asset.condition === "alarm" || undefined}
        data-condition={asset.condition}
      >
        <span className={classes.condition}>
          <StateMark name={asset.condition} />
        </span>
        <span className={classes.machine}>
          <span className={classes.name}>{asset.name}</span>
          <span className={classes.path}>{asset.path.slice(1).join(" / ")}</span>
        </span>
        <span className={classes.reason}>{asset.reason}</span>
        <Headline asset={asset} />
        <span className={classes.spark}>{spark ? <Sparkline time={spark.time_ms} value={spark.value} /> : null}</span>
        <Since at={asset.since} />
        <span className={classes.flags}>
          {asset.unacknowledged ? (
            <span className={classes.unack}>{asset.unacknowledged} unacknowledged</span>
          ) : null}
          {asset.shelved ? <span className="muted">{asset.shelved} shelved</span> : null}
        </span>
        <span className={classes.running}>{runningWord(asset.running)}</span>
      </Link>
    </li>
  );
});

function runningWord(running: boolean | null): string {
  if (running === null) return "–";
  return running ? "Running" : "Stopped";
}

function Since({ at }: { at: string | null }) {
  const now = useNow(5_000);
  const age = secondsSince(at, now);
  return <span className={`${classes.since} num`}>{age === null ? "–" : formatDuration(Math.max(age, 0))}</span>;
}

function Headline({ asset }: { asset: AssetSummary }) {
  const { headline } = asset;
  const latest = useLatest(headline?.signal_id);
  if (!headline) return <span className={classes.headline} />;
  const value = latest ? latest.value : headline.value;
  return (
    <span className={classes.headline}>
      <span className={`${classes.value} num`}>
        {value === null ? "bad data" : formatValue(value)} <span className={classes.unit}>{formatUnit(headline.unit)}</span>
      </span>
      <span className={classes.signal}>{sentence(headline.name)}</span>
    </span>
  );
}
