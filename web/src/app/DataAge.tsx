import { useEffect, useState } from "react";
import { live } from "@/api/live";
import { formatDuration } from "@/ui/format";
import classes from "./Shell.module.css";

const TICK_MS = 500;
const OLD_S = 10;
/** A page just opened, or just signed in to, has not heard a reading yet; that is no news. */
const OPENING_MS = 6_000;

interface Age {
  status: string;
  seconds: number | null;
  /** The page has just been opened. */
  opening: boolean;
}

function read(shownAt: number): Age {
  const at = live.lastReadingsAt;
  const now = performance.now();
  return { status: live.status, seconds: at === null ? null : (now - at) / 1000, opening: now - shownAt < OPENING_MS };
}

/** How old the newest reading on this page is. Old data never passes for live. */
export function DataAge() {
  const [shownAt] = useState(() => performance.now());
  const [{ status, seconds, opening }, setAge] = useState(() => read(shownAt));
  useEffect(() => {
    const timer = setInterval(() => setAge(read(shownAt)), TICK_MS);
    return () => clearInterval(timer);
  }, [shownAt]);
  const waiting = seconds === null && opening;
  const old = !waiting && (status !== "live" || seconds === null || seconds > OLD_S);
  return (
    <span className={`${classes.age} num`} data-old={old || undefined} data-testid="data-age">
      <svg width={10} height={10} viewBox="0 0 10 10" aria-hidden="true">
        {old ? (
          <path d="M1 1l8 8M9 1l-8 8" stroke="currentColor" strokeWidth={1.8} />
        ) : (
          <circle cx={5} cy={5} r={4} fill="currentColor" />
        )}
      </svg>
      {waiting ? "connecting" : phrase(status, seconds)}
    </span>
  );
}

/** "live, 0.4 s", "reconnecting, data 12 s old" or what is missing. */
export function phrase(status: string, seconds: number | null): string {
  if (seconds === null) return status === "live" ? "connected, no reading yet" : status;
  if (status === "live") return seconds > OLD_S ? `no reading for ${formatDuration(seconds)}` : `live, ${formatDuration(seconds)}`;
  return `${status}, data ${formatDuration(seconds)} old`;
}
