import { fetchSeries, type SeriesQuestion } from "@/api/series";
import type { LiveReadings, SeriesAnswer } from "@/api/types";
import { Trace } from "@/charts/trace";
import type { TimeChoice } from "@/ui/time-range";

export type FeedStatus = "loading" | "ready" | "error";
type Fetch = (question: SeriesQuestion, signal?: AbortSignal) => Promise<SeriesAnswer>;

/** Live points per signal after which the window is thinned anew by the server. */
const RELOAD_AFTER = 4_000;

/**
 * The traces of one trend page: loads a window, appends live readings, and after an interruption fetches what was
 * missed before it lets live readings through again.
 */
export class TraceFeed {
  readonly traces = new Map<string, Trace>();
  status: FeedStatus = "loading";
  error: Error | null = null;
  /** Points in the last load were thinned to about one every so many milliseconds; 0 when nothing was left out. */
  thinnedMs = 0;

  private held: LiveReadings[] | null = null;
  private abort: AbortController | null = null;
  private choice: TimeChoice | null = null;

  constructor(
    readonly signals: readonly string[],
    private readonly points: number,
    private readonly nowMs: () => number,
    private readonly onChange: (touched: ReadonlySet<string> | "all") => void,
    private readonly fetch: Fetch = fetchSeries,
  ) {
    for (const id of signals) this.traces.set(id, new Trace());
  }

  window(): { from: number; to: number } {
    if (this.choice?.kind === "fixed") return { from: this.choice.from, to: this.choice.to };
    const to = this.nowMs();
    return { from: to - (this.choice?.ms ?? 3_600_000), to };
  }

  get isLive(): boolean {
    return this.choice?.kind !== "fixed";
  }

  /** Load the window of `choice`; what is shown stays until the new points are here. */
  async load(choice: TimeChoice): Promise<void> {
    this.choice = choice;
    if (!this.signals.length) {
      this.status = "ready";
      return;
    }
    this.status = "loading";
    this.onChange("all");
    const { from, to } = this.window();
    await this.ask(from, to, (answer) => {
      for (const series of answer.series) this.traces.get(series.signal_id)?.load(series);
      const thinned = answer.series.some((s) => s.downsampled);
      this.thinnedMs = thinned ? (to - from) / this.points : 0;
    });
  }

  /** Fetch what may have been missed since the last seen reading. */
  async fillGap(): Promise<void> {
    if (!this.isLive || this.status === "loading" || !this.choice) return;
    if (this.status === "error") return this.load(this.choice);
    const { from, to } = this.window();
    const since = [...this.traces.values()].map((t) => t.buffer.lastTime ?? from);
    const start = Math.max(from, Math.min(...since));
    await this.ask(start, Math.max(to, start + 1), (answer) => {
      for (const series of answer.series) this.traces.get(series.signal_id)?.fill(series);
    });
  }

  accept(readings: LiveReadings): void {
    if (!this.isLive) return;
    if (this.held) {
      this.held.push(readings);
      return;
    }
    const touched = this.append(readings);
    if (!touched.size) return;
    this.onChange(touched);
    if (this.choice && [...this.traces.values()].some((t) => t.appended > RELOAD_AFTER)) void this.load(this.choice);
  }

  close(): void {
    this.abort?.abort();
  }

  private append({ signal, time_ms, value }: LiveReadings): Set<string> {
    const touched = new Set<string>();
    for (let i = 0; i < signal.length; i++) {
      const id = signal[i] as string;
      const trace = this.traces.get(id);
      if (!trace) continue;
      trace.append(time_ms[i] as number, value[i] ?? null);
      touched.add(id);
    }
    return touched;
  }

  private async ask(fromMs: number, toMs: number, take: (answer: SeriesAnswer) => void): Promise<void> {
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.held ??= [];
    try {
      const answer = await this.fetch({ signals: this.signals, fromMs, toMs, points: this.points }, abort.signal);
      if (abort.signal.aborted) return;
      take(answer);
      this.status = "ready";
      this.error = null;
    } catch (cause) {
      if (abort.signal.aborted) return;
      this.status = "error";
      this.error = cause instanceof Error ? cause : new Error(String(cause));
    }
    const held = this.held;
    this.held = null;
    for (const readings of held) this.append(readings);
    this.onChange("all");
  }
}
