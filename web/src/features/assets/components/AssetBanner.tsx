import type { ReactNode } from "react";
import type { AssetDetail } from "@/api/types";
import { StateMark, toneOf } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, formatTime, prose, secondsSince, zoneName } from "@/ui/format";
import classes from "./AssetBanner.module.css";

interface NextAction {
  action: string;
  /** RFC 3339; null when it has been acknowledged. */
  due: string | null;
}

interface BannerProps {
  asset: AssetDetail;
  /** What the most urgent alarm advises; null when there is none. */
  nextAction: NextAction | null;
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
          {prose(asset.reason)}
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
            <Due at={nextAction.due} />
          </p>
        ) : null}
      </div>
      <dl className={classes.facts}>
        <Fact name="State">{asset.running === null ? "–" : asset.running ? "Running" : "Stopped"}</Fact>
        <Fact name="Unacknowledged">{asset.unacknowledged}</Fact>
        <Fact name="Open anomalies">{asset.open_anomalies}</Fact>
        <Fact name="Last reading">
          {formatTime(asset.last_reading_at, now)} <span className={classes.zone}>{zoneName()}</span>
        </Fact>
      </dl>
      {children}
    </header>
  );
}

/** Until when somebody has to have taken the alarm on. */
function Due({ at }: { at: string | null }) {
  const now = useNow();
  const late = secondsSince(at, now);
  if (late === null) return null;
  return (
    <span className={late > 0 ? `c-high ${classes.late}` : "muted"}>
      {late > 0 ? `Overdue by ${formatDuration(late)}: respond now` : `Respond by ${formatTime(at, now)} (in ${formatDuration(-late)})`}
    </span>
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
