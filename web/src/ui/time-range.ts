export const RANGES = ["15m", "1h", "6h", "24h", "7d"] as const;
export type RangeName = (typeof RANGES)[number];

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const LONGEST_MS = 400 * UNIT_MS.d;

/** Milliseconds of "15m", "1h", "7d", ...; null for anything else or longer than 400 days. */
export function parseRange(text: string): number | null {
  const match = /^(\d{1,4})([smhd])$/.exec(text);
  if (!match) return null;
  const ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  return ms > 0 && ms <= LONGEST_MS ? ms : null;
}

/** What the address says about time: a live range that ends now, or a fixed window. */
export type TimeChoice = { kind: "live"; range: string; ms: number } | { kind: "fixed"; from: number; to: number };

export interface TimeSearch {
  range?: string;
  from?: number;
  to?: number;
}

/** The choice in an address; nonsense falls back to the last hour. */
export function timeChoice({ range, from, to }: TimeSearch): TimeChoice {
  if (from !== undefined && to !== undefined && Number.isFinite(from) && Number.isFinite(to) && to > from) {
    return { kind: "fixed", from, to };
  }
  const ms = range ? parseRange(range) : null;
  return ms === null ? { kind: "live", range: "1h", ms: UNIT_MS.h } : { kind: "live", range: range as string, ms };
}
