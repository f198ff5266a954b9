import type { TimeChart } from "./time-chart";

export interface TimeWindow {
  from: number;
  to: number;
}

/** Charts that share one time axis. `onCommit` is told when the reader has chosen a window, `onReset` to go back. */
export class ChartGroup {
  readonly charts = new Set<TimeChart>();
  onCommit: (window: TimeWindow) => void = () => undefined;
  onReset: () => void = () => undefined;

  constructor(
    readonly key: string,
    public window: TimeWindow,
  ) {}

  /** Who is told of the reader's wishes from now on. */
  listen(onCommit: (window: TimeWindow) => void, onReset: () => void): void {
    this.onCommit = onCommit;
    this.onReset = onReset;
  }

  /** Move every chart to a window and draw it. */
  show(window: TimeWindow): void {
    this.window = window;
    for (const chart of this.charts) chart.requestDraw();
  }
}
