import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { StateMark, toneOf } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatDuration, prose, secondsSince } from "@/ui/format";
import { alarmsQuery } from "../api/alarms";
import { bannerNews } from "../order";
import classes from "./AlarmBanner.module.css";

/** On every page: the most urgent alarm nobody has acknowledged, how many there are, and the newest. */
export function AlarmBanner() {
  const { data } = useQuery(alarmsQuery);
  const now = useNow();
  if (!data) return <div className={classes.banner} />;
  const news = bannerNews(data.alarms);
  if (!news) {
    return (
      <div className={classes.banner} data-testid="alarm-banner">
        <StateMark name="normal" compact />
        <span>No unacknowledged alarm</span>
      </div>
    );
  }
  const { top, newest, count } = news;
  return (
    <Link
      to="/alarms"
      className={classes.banner}
      data-tone={top.active ? toneOf(top.priority) : undefined}
      data-testid="alarm-banner"
    >
      <StateMark name={top.priority} />
      <span className={classes.title}>
        {top.asset_name} <span className={classes.asset}>{prose(top.title)}</span>
      </span>
      <span className={`${classes.age} num`}>
        {top.active ? "since" : "back to normal; was raised"} {formatDuration(secondsSince(top.raised_at, now))}
        {top.active ? "" : " ago"}
      </span>
      <span className={`${classes.count} num`}>
        {count}
        <span className={classes.word}> unacknowledged</span>
      </span>
      <span className={`${classes.newest} num`}>newest {ago(newest.raised_at, now)}</span>
    </Link>
  );
}

/** Calm: the first ten seconds are not counted out. */
function ago(at: string | null, now: number): string {
  const seconds = secondsSince(at, now) ?? 0;
  return seconds < 10 ? "just now" : `${formatDuration(seconds)} ago`;
}
