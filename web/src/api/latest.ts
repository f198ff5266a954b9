import { useCallback, useSyncExternalStore } from "react";
import { live } from "./live";

export interface LatestValue {
  timeMs: number;
  value: number | null;
  quality: number;
}

const values = new Map<string, LatestValue>();
const watchers = new Map<string, Set<() => void>>();

live.on("readings", ({ signal, time_ms, value, quality }) => {
  const touched = new Set<string>();
  for (let i = 0; i < signal.length; i++) {
    const id = signal[i] as string;
    const timeMs = time_ms[i] as number;
    const known = values.get(id);
    if (known && known.timeMs > timeMs) continue;
    values.set(id, { timeMs, value: value[i] ?? null, quality: quality[i] ?? 0 });
    touched.add(id);
  }
  for (const id of touched) for (const tell of watchers.get(id) ?? []) tell();
});

/** The newest live value of a signal seen by this page, or undefined before the first. */
export function useLatest(signalId: string | undefined): LatestValue | undefined {
  const subscribe = useCallback(
    (tell: () => void) => {
      if (!signalId) return () => undefined;
      const set = watchers.get(signalId) ?? new Set();
      watchers.set(signalId, set);
      set.add(tell);
      return () => {
        set.delete(tell);
      };
    },
    [signalId],
  );
  return useSyncExternalStore(subscribe, () => (signalId ? values.get(signalId) : undefined));
}
