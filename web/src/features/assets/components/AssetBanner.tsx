import type { ReactNode } from "react";
import type { AssetDetail } from "@/api/types";
import { StateMark, toneOf } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, formatTime, secondsSince } from "@/ui/format";
import classes from "./AssetBanner.module.css";

interface BannerProps {
  asset: AssetDetail;
  /** What the most urgent alarm advises; null when there is none. */
  nextAction: { title: string; action: string; responseMinutes: number } | null;
  children?: ReactNode;
}

/** The machine's state, the evidence in one sentence and what to do next. */
export function AssetBanner({ asset, nextAction, children }: BannerProps) {
  const now = useNow();
  return (
    <header className={classes.banner} data-tone={toneOf(asset.condition)}>
      <div className={classes.main}>
        <div className={classes.heading}>
          <h1 className={classes.name}>{asset.name}</h1>
          <StateMark name={asset.condition} strong />
        </div>
        <p className={classes.reason}>
          {asset.reason}
          {asset.since ? (
            <span className="muted num">
              {" "}
              Since {formatTime(asset.since, now)} ({formatDuration(secondsSince(asset.since, now))})
            </span>
          ) : null}
        </p>
        {nextAction?.action ? (
          <p className={classes.action}>
            <strong>Next:</strong> {nextAction.action}{" "}
            <span className="muted">
              ({nextAction.title}; respond within {formatDuration(nextAction.responseMinutes * 60)})
            </span>
          </p>
        ) : null}
      </div>
      <dl className={classes.facts}>
        <Fact name="State">{asset.running === null ? "–" : asset.running ? "Running" : "Stopped"}</Fact>
        <Fact name="Unacknowledged">{asset.unacknowledged}</Fact>
        <Fact name="Open anomalies">{asset.open_anomalies}</Fact>
        <Fact name="Last reading">{formatTime(asset.last_reading_at, now)}</Fact>
      </dl>
      {children}
    </header>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="num">{children}</dd>
    </div>
  );
}
