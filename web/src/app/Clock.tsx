import { useNow } from "@/ui/clock";
import { formatTime, zoneName } from "@/ui/format";
import classes from "./Shell.module.css";

/** The reader's clock and zone, which every time on the page is in. */
export function Clock() {
  const now = useNow();
  return (
    <span className={`${classes.clock} num`} title="Every time on this page is in this zone">
      {formatTime(now, now)} <span>{zoneName(now)}</span>
    </span>
  );
}
