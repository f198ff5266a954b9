type Column = readonly (number | null)[];

/** Columns over one time axis, with a point that has no value in the middle of every silence longer than `gapMs`. */
export function withGaps(time: readonly number[], columns: readonly Column[], gapMs: number): [number[], ...(number | null)[][]] {
  const times: number[] = [];
  const out: (number | null)[][] = columns.map(() => []);
  for (let i = 0; i < time.length; i++) {
    const now = time[i] as number;
    const before = time[i - 1];
    if (before !== undefined && now - before > gapMs) {
      times.push((before + now) / 2);
      for (const column of out) column.push(null);
    }
    times.push(now);
    columns.forEach((column, c) => out[c]?.push(column[i] ?? null));
  }
  return [times, ...out];
}

/** The smallest and the greatest value of all columns; null where there is none. */
export function extentOf(columns: readonly Column[]): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns) {
    for (const value of column) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? [low, high] : null;
}

/** [first, last] of every stretch in which both columns have a value. */
export function runsOf(one: ArrayLike<number | null | undefined>, other: ArrayLike<number | null | undefined>): [number, number][] {
  const runs: [number, number][] = [];
  let first = -1;
  for (let i = 0; i <= one.length; i++) {
    const known = i < one.length && one[i] != null && other[i] != null;
    if (known && first < 0) first = i;
    if (!known && first >= 0) {
      runs.push([first, i - 1]);
      first = -1;
    }
  }
  return runs;
}
