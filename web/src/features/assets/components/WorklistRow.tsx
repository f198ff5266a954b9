import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { useLatest } from "@/api/latest";
import type { AssetSummary, SignalSeries } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { StateMark } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, formatQuantity, formatUnit, prose, secondsSince, signalName } from "@/ui/format";
import { isAbnormal } from "../order";
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
        data-calm={!isAbnormal(asset) || undefined}
        data-condition={asset.condition}
      >
        <span className={classes.condition}>
          <StateMark name={asset.condition} />
        </span>
        <span className={classes.machine}>
          <span className={classes.name}>{asset.name}</span>
          <span className={classes.path}>{[asset.path.slice(1).join(" / "), runningWord(asset.running)].filter(Boolean).join(" · ")}</span>
        </span>
        <span className={classes.reason}>{prose(asset.reason)}</span>
        <Headline asset={asset} />
        <span className={classes.spark}>{spark ? <Sparkline time={spark.time_ms} value={spark.value} /> : null}</span>
        <Since at={asset.since} />
        <span className={classes.flags}>
          {asset.unacknowledged ? (
            <span className={classes.unack}>{asset.unacknowledged} unacknowledged</span>
          ) : null}
          {asset.shelved ? <span className="muted">{asset.shelved} shelved</span> : null}
        </span>
      </Link>
    </li>
  );
});

function runningWord(running: boolean | null): string {
  if (running === null) return "";
  return running ? "running" : "stopped";
}

function Since({ at }: { at: string | null }) {
  const now = useNow(5_000);
  const age = secondsSince(at, now);
  return <span className={`${classes.since} num`}>{age === null ? "" : formatDuration(Math.max(age, 0))}</span>;
}

function Headline({ asset }: { asset: AssetSummary }) {
  const { headline } = asset;
  const latest = useLatest(headline?.signal_id);
  if (!headline) return <span className={classes.headline} />;
  const value = latest ? latest.value : headline.value;
  return (
    <span className={classes.headline}>
      <span className={`${classes.value} num`}>
        {value === null ? (
          <span className="c-stale">bad data</span>
        ) : (
          <>
            {formatQuantity(value, headline.unit)} <span className={classes.unit}>{formatUnit(headline.unit)}</span>
          </>
        )}
      </span>
      <span className={classes.signal}>{signalName(headline.name)}</span>
    </span>
  );
}
