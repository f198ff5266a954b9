import { useEffect, useState } from "react";
import { live } from "@/api/live";
import { formatDuration } from "@/ui/format";
import { useNow } from "@/ui/clock";
import classes from "./Shell.module.css";

/** A blip shorter than this is not worth a word. */
const PATIENCE_MS = 3_000;

/** Since when the stream has been cut, Date.now(); null while it is up or a moment away. */
export function useLostSince(): number | null {
  const [since, setSince] = useState<number | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const off = live.on("status", (status) => {
      clearTimeout(timer);
      if (status === "live") return setSince(null);
      const at = Date.now();
      timer = setTimeout(() => setSince((known) => known ?? at), PATIENCE_MS);
    });
    return () => {
      clearTimeout(timer);
      off();
    };
  }, []);
  return since;
}

/** Across the page while there is no connection: nothing shown below is of now. */
export function ConnectionStrip({ since }: { since: number }) {
  const now = useNow();
  return (
    <div className={classes.lost} role="status">
      <strong>No connection for {duration(now - since)}.</strong> What you see is from before; the page keeps
      trying and then fetches what it missed.
    </div>
  );
}

/** Whole seconds: a figure that grows needs no tenths. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 10 ? `${seconds} s` : formatDuration(seconds);
}
