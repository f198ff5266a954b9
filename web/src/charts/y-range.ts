export interface LimitSet {
  low_critical: number | null;
  low: number | null;
  high: number | null;
  high_critical: number | null;
}

/** The axis spans at least this share of the value, so that noise looks like noise. */
const FLAT_SHARE = 0.05;
/** A limit may stretch the axis to at most this many times the data's own span. */
const STRETCH = 4;

/**
 * The y axis for data within `extent`: padded, and stretched to those limits that do not flatten the data.
 * `current` is kept while the data still fits it well, so that a live axis does not jitter.
 */
export function yRange(
  extent: [number, number] | null,
  limits: LimitSet,
  current?: [number, number],
): [number, number] {
  if (!extent) return current ?? [0, 1];
  const [lo, hi] = extent;
  const middle = (lo + hi) / 2;
  const span = Math.max(hi - lo, Math.abs(middle) * FLAT_SHARE, 1e-9);
  let min = middle - span / 2;
  let max = middle + span / 2;
  for (const limit of [limits.high, limits.high_critical, limits.low, limits.low_critical]) {
    if (limit === null) continue;
    const stretched = Math.max(max, limit) - Math.min(min, limit);
    if (stretched > span * STRETCH) continue;
    min = Math.min(min, limit);
    max = Math.max(max, limit);
  }
  const pad = (max - min) * 0.08;
  const wanted: [number, number] = [min - pad, max + pad];
  if (current && fits(lo, hi, wanted, current)) return current;
  return wanted;
}

function fits(lo: number, hi: number, wanted: [number, number], current: [number, number]): boolean {
  const size = current[1] - current[0];
  const wantedSize = wanted[1] - wanted[0];
  return lo >= current[0] && hi <= current[1] && wantedSize > size * 0.6 && wantedSize < size * 1.3;
}
