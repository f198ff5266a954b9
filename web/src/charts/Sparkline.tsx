import { memo } from "react";

interface SparklineProps {
  time: readonly number[];
  value: readonly (number | null)[];
  width?: number;
  height?: number;
}

/** The line has at least this share of the value as its height, so that noise looks like noise. */
const CALM_SHARE = 0.4;

/** The path of a small line; null breaks it. Empty when there are fewer than two good points. */
export function sparkPath(time: readonly number[], value: readonly (number | null)[], width: number, height: number): string {
  let min = Infinity;
  let max = -Infinity;
  for (const v of value) {
    if (v === null) continue;
    min = Math.min(min, v);
    max = Math.max(max, v);
  }
  const first = time[0];
  const last = time.at(-1);
  if (first === undefined || last === undefined || last <= first || max < min) return "";
  const span = Math.max(max - min, (Math.abs(max + min) / 2) * CALM_SHARE, 1e-9);
  const middle = (max + min) / 2;
  let path = "";
  let pen = false;
  for (let i = 0; i < time.length; i++) {
    const v = value[i];
    if (v === null || v === undefined) {
      pen = false;
      continue;
    }
    const x = (((time[i] as number) - first) / (last - first)) * width;
    const y = height / 2 - ((v - middle) / span) * (height - 4);
    path += `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  }
  return path;
}

/** Fifteen minutes at a glance; says nothing to a screen reader, which has the value beside it. */
export const Sparkline = memo(function Sparkline({ time, value, width = 112, height = 30 }: SparklineProps) {
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path
        d={sparkPath(time, value, width, height)}
        fill="none"
        stroke="var(--chart-line)"
        strokeWidth={1.4}
        strokeLinejoin="round"
      />
    </svg>
  );
});
