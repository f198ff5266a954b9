import type { Trace } from "@/charts/trace";

export interface BucketCell {
  mean: number | null;
  bad: boolean;
}
export interface BucketRow {
  from: number;
  cells: BucketCell[];
}

/** The window cut into `count` equal spans, newest first, with each trace's mean good value in it. */
export function bucketRows(traces: readonly Trace[], from: number, to: number, count: number): BucketRow[] {
  const size = (to - from) / count;
  return Array.from({ length: count }, (_, k) => {
    const start = to - (k + 1) * size;
    return { from: start, cells: traces.map((trace) => cell(trace, start, start + size, to)) };
  });
}

function cell(trace: Trace, from: number, to: number, now: number): BucketCell {
  const { time, value } = trace.buffer.view();
  let sum = 0;
  let n = 0;
  for (let i = trace.buffer.lowerBound(from); i < time.length && (time[i] as number) < to; i++) {
    const v = value[i] as number;
    if (Number.isNaN(v)) continue;
    sum += v;
    n++;
  }
  return { mean: n ? sum / n : null, bad: trace.spans(now).some(([a, b]) => a < to && b >= from) };
}
