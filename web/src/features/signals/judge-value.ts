import type { LimitSet } from "@/charts/y-range";

export interface Judgement {
  word: string;
  tone: "critical" | "high" | "medium" | "stale" | "quiet";
}

/** What a value means by its quality and limits, in words. A quality that is not good speaks first. */
export function judgeValue(value: number | null, quality: number | null, limits: LimitSet): Judgement {
  if (quality === null) return { word: "No data", tone: "quiet" };
  const severity = quality >>> 30;
  if (severity >= 2 || value === null) return { word: "Bad data", tone: "stale" };
  if (severity === 1) return { word: "Uncertain", tone: "stale" };
  if (limits.high_critical !== null && value > limits.high_critical) return { word: "▲▲ above HH", tone: "critical" };
  if (limits.low_critical !== null && value < limits.low_critical) return { word: "▼▼ below LL", tone: "critical" };
  if (limits.high !== null && value > limits.high) return { word: "▲ above H", tone: "high" };
  if (limits.low !== null && value < limits.low) return { word: "▼ below L", tone: "high" };
  return { word: "Good", tone: "quiet" };
}
