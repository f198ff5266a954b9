import type { AssetModel } from "@/api/types";
import { formatShare } from "./words";

type Drift = NonNullable<AssetModel["drift"]>;
type Signal = Drift["signals"][number];

export interface DriftBar extends Signal {
  /** Of its own usual mark. */
  times: number;
  beyond: boolean;
  /** Right end of the scale, in times. */
  top: number;
}

const LEAST_TOP = 1.6;
const MOST_TOP = 4;

/** Farthest beyond its mark first, on one scale; what is off it fills its bar. */
export function driftScale(signals: readonly Signal[]): DriftBar[] {
  const bars = signals.map((signal) => {
    const times = signal.psi / signal.usual;
    return { ...signal, times, beyond: times >= 1 };
  });
  const top = Math.min(MOST_TOP, Math.max(LEAST_TOP, ...bars.map(({ times }) => times * 1.1)));
  return bars.map((bar) => ({ ...bar, top })).sort((a, b) => b.times - a.times);
}

/** How often its score is high, against health. */
export function overQuantileWords({ over, usual }: Pick<Drift, "over" | "usual">): string {
  if (over === null) return "";
  const health = usual === null ? "" : `; in health ${formatShare(usual)} were`;
  return `Lately ${formatShare(over)} of the rows were over the healthy quantile of its score${health}.`;
}
