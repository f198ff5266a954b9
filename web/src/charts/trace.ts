import { SeriesBuffer } from "./series-buffer";

export interface TracePoints {
  time_ms: readonly number[];
  value: readonly (number | null)[];
  bad: readonly (readonly number[])[];
}

/** What one chart shows of one signal: its points and the spans of bad data, kept up to date by live readings. */
export class Trace {
  readonly buffer: SeriesBuffer;
  bad: [number, number][] = [];
  /** Live points added since the last load: many of them mean that the server should thin the window again. */
  appended = 0;
  private badOpen = false;

  constructor(capacity = 8192) {
    this.buffer = new SeriesBuffer(capacity);
  }

  load(points: TracePoints): void {
    this.buffer.load(points.time_ms, points.value);
    this.bad = points.bad.map((span) => [span[0] ?? 0, span[1] ?? 0]);
    this.appended = 0;
    this.badOpen = points.value.length > 0 && points.value.at(-1) === null;
  }

  /** Fill a gap with fetched points: what is known stays, what is newer or corrected comes in. */
  fill(points: TracePoints): void {
    this.buffer.merge(points.time_ms, points.value);
    for (const span of points.bad) this.addBad(span[0] ?? 0, span[1] ?? 0);
  }

  append(time: number, value: number | null): void {
    const before = this.buffer.lastTime;
    this.buffer.append(time, value);
    this.appended++;
    if (before !== null && time <= before) return;
    const last = this.bad.at(-1);
    if (this.badOpen && last) last[1] = Math.max(last[1], time);
    else if (value === null) this.bad.push([time, time]);
    this.badOpen = value === null;
  }

  /** Spans of bad data; one that no good reading has ended lasts until `to`. */
  spans(to: number): readonly (readonly [number, number])[] {
    const last = this.bad.at(-1);
    if (!this.badOpen || !last || last[1] >= to) return this.bad;
    return [...this.bad.slice(0, -1), [last[0], to]];
  }

  private addBad(from: number, to: number): void {
    const touching = this.bad.find(([a, b]) => from <= b && to >= a);
    if (!touching) {
      this.bad.push([from, to]);
      this.bad.sort((a, b) => a[0] - b[0]);
      return;
    }
    touching[0] = Math.min(touching[0], from);
    touching[1] = Math.max(touching[1], to);
  }
}
