/**
 * One signal's points in time order, as two typed arrays that a chart reads without copying.
 *
 * Holds at least the newest `capacity` points: the arrays are twice as long, and when they are full the newest
 * `capacity` points move to the front. Time is integer milliseconds UTC; NaN is a bad or missing value.
 */
export class SeriesBuffer {
  private times: Float64Array;
  private values: Float64Array;
  private end = 0;

  constructor(readonly capacity: number) {
    this.times = new Float64Array(capacity * 2);
    this.values = new Float64Array(capacity * 2);
  }

  get length(): number {
    return this.end;
  }

  get lastTime(): number | null {
    return this.end ? (this.times[this.end - 1] as number) : null;
  }

  /** The columns as views; they are valid until the next change. */
  view(): { time: Float64Array; value: Float64Array } {
    return { time: this.times.subarray(0, this.end), value: this.values.subarray(0, this.end) };
  }

  /** Replace everything. Points must be in time order. */
  load(time: readonly number[], value: readonly (number | null)[]): void {
    const from = Math.max(0, time.length - this.capacity);
    this.end = time.length - from;
    for (let i = 0; i < this.end; i++) {
      this.times[i] = time[from + i] as number;
      this.values[i] = value[from + i] ?? NaN;
    }
  }

  /** Add one live point. A point not newer than the last is merged in its place (late) or replaces its equal. */
  append(time: number, value: number | null): void {
    if (this.end && time <= (this.times[this.end - 1] as number)) {
      this.merge([time], [value]);
      return;
    }
    if (this.end === this.times.length) this.compact();
    this.times[this.end] = time;
    this.values[this.end] = value ?? NaN;
    this.end++;
  }

  /** Add points of any age, in time order; where a time is known already the new value wins. */
  merge(time: readonly number[], value: readonly (number | null)[]): void {
    if (!time.length) return;
    const start = this.lowerBound(time[0] as number);
    const oldTime = this.times.slice(start, this.end);
    const oldValue = this.values.slice(start, this.end);
    this.end = start;
    let i = 0;
    let j = 0;
    while (i < oldTime.length || j < time.length) {
      const a = i < oldTime.length ? (oldTime[i] as number) : Infinity;
      const b = j < time.length ? (time[j] as number) : Infinity;
      if (this.end === this.times.length) this.compact();
      this.times[this.end] = Math.min(a, b);
      this.values[this.end] = b <= a ? (value[j] ?? NaN) : (oldValue[i] as number);
      this.end++;
      if (a <= b) i++;
      if (b <= a) j++;
    }
  }

  /** Index of the first point at or after `time`. */
  lowerBound(time: number): number {
    let low = 0;
    let high = this.end;
    while (low < high) {
      const mid = (low + high) >> 1;
      if ((this.times[mid] as number) < time) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** Smallest and largest good value within [from, to], or null when there is none. */
  extent(from: number, to: number): [number, number] | null {
    let min = Infinity;
    let max = -Infinity;
    for (let i = this.lowerBound(from); i < this.end && (this.times[i] as number) <= to; i++) {
      const v = this.values[i] as number;
      if (v < min) min = v;
      if (v > max) max = v;
    }
    return min <= max ? [min, max] : null;
  }

  private compact(): void {
    const from = this.end - this.capacity;
    this.times.copyWithin(0, from, this.end);
    this.values.copyWithin(0, from, this.end);
    this.end = this.capacity;
  }
}
