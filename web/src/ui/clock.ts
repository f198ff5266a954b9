import { useEffect, useState } from "react";

const listeners = new Map<number, Set<(now: number) => void>>();
const timers = new Map<number, ReturnType<typeof setInterval>>();

/** Date.now(), refreshed every `everyMs`; all users of one period share a timer. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const set = listeners.get(everyMs) ?? new Set();
    listeners.set(everyMs, set);
    set.add(setNow);
    if (!timers.has(everyMs)) {
      timers.set(
        everyMs,
        setInterval(() => {
          const at = Date.now();
          for (const tell of set) tell(at);
        }, everyMs),
      );
    }
    return () => {
      set.delete(setNow);
      if (set.size) return;
      clearInterval(timers.get(everyMs));
      timers.delete(everyMs);
    };
  }, [everyMs]);
  return now;
}
