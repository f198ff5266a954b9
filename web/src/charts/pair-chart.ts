import uPlot from "uplot";
import { type ChartColors, readColors } from "./colors";
import { px } from "./overlays";
import { tickLabels, valueLabel } from "./time-axis";
import { extentOf, runsOf, withGaps } from "./with-gaps";
import { yRange } from "./y-range";

type Column = readonly (number | null)[];

export interface PairChartOptions {
  time: readonly number[];
  /** What was. */
  line: Column;
  /** What it is held against: another line, or a level that it should stay below. */
  against: Column | number;
  /** When it was not as it should be, milliseconds. */
  shaded: readonly [number, number];
  /** A silence longer than this breaks the lines. */
  gapMs: number;
  height: number;
  /** Charts of one key share their cursor. */
  key: string;
  onCursor: (row: number | null) => void;
}

const Y_AXIS_PX = 46;
/** Steps of the y axis whose labels need no more decimals than the step has digits. */
const STEPS = Array.from({ length: 16 }, (_, i) => [1, 2, 5].map((n) => Number(`${n}e${i - 8}`))).flat();
const NO_LIMITS = { low_critical: null, low: null, high: null, high_critical: null };

/** A line of the past and what it is held against, on a canvas: nothing of it changes but its width and its colours. */
export class PairChart {
  private readonly plot: uPlot;
  private colors: ChartColors = readColors();
  private readonly level: number | null;

  constructor(
    root: HTMLElement,
    private readonly options: PairChartOptions,
  ) {
    const { time, line, against, gapMs } = options;
    this.level = typeof against === "number" ? against : null;
    const columns = typeof against === "number" ? [line] : [line, against];
    const data = withGaps(time, columns, gapMs) as unknown as uPlot.AlignedData;
    this.plot = new uPlot(this.config(Math.max(root.clientWidth, 120), columns), data, root);
  }

  destroy(): void {
    this.plot.destroy();
  }

  resize(width: number): void {
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  readScheme(): void {
    this.colors = readColors();
    this.plot.redraw(false, true);
  }

  private config(width: number, columns: readonly Column[]): uPlot.Options {
    const { height, key, onCursor, time } = this.options;
    const axis: uPlot.Axis = {
      stroke: () => this.colors.muted,
      grid: { stroke: () => this.colors.grid, width: 1 },
      ticks: { show: false },
      font: '11px "Inter Variable", system-ui, sans-serif',
    };
    const line: uPlot.Series = { stroke: () => this.colors.line, width: 1.6, points: { show: false }, spanGaps: false };
    const other: uPlot.Series = { stroke: () => this.colors.text, width: 1.2, dash: [5, 4], points: { show: false }, spanGaps: false };
    return {
      width,
      height,
      ms: 1,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, range: (_u, min, max) => [min, max] }, y: { range: this.range(columns) } },
      axes: [
        { ...axis, size: 22, gap: 4, space: 70, values: (_u, splits, _i, _s, incr) => tickLabels(splits, incr) },
        { ...axis, size: Y_AXIS_PX, gap: 5, space: 18, incrs: STEPS, values: (_u, splits, _i, _s, incr) => splits.map((v) => valueLabel(v, incr)) },
      ],
      series: columns.length === 2 ? [{}, line, other] : [{}, line],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key } },
      hooks: {
        drawClear: [(u) => this.shade(u)],
        drawAxes: [(u) => this.fillBetween(u)],
        draw: [(u) => this.drawLevel(u)],
        setCursor: [
          (u) => {
            const at = u.cursor.idx;
            const when = at === null || at === undefined || (u.cursor.left ?? -1) < 0 ? undefined : u.data[0][at];
            const row = when === undefined ? -1 : time.indexOf(when);
            onCursor(row < 0 ? null : row);
          },
        ],
      },
    };
  }

  /** The distance between the two lines, filled. */
  private fillBetween(u: uPlot): void {
    const [xs, ys, others] = u.data;
    if (!ys || !others) return;
    const { ctx } = u;
    ctx.fillStyle = this.colors.distance;
    for (const [first, last] of runsOf(ys, others)) {
      ctx.beginPath();
      for (let i = first; i <= last; i++) ctx.lineTo(u.valToPos(xs[i] as number, "x", true), u.valToPos(ys[i] as number, "y", true));
      for (let i = last; i >= first; i--) ctx.lineTo(u.valToPos(xs[i] as number, "x", true), u.valToPos(others[i] as number, "y", true));
      ctx.closePath();
      ctx.fill();
    }
  }

  private range(columns: readonly Column[]): [number, number] {
    const extent = extentOf(columns);
    return this.level === null ? yRange(extent, NO_LIMITS) : [0, Math.max(this.level * 1.5, (extent?.[1] ?? 0) * 1.1)];
  }

  private shade(u: uPlot): void {
    const [from, to] = this.options.shaded;
    const { ctx, bbox } = u;
    const a = Math.max(bbox.left, u.valToPos(from, "x", true));
    const b = Math.min(bbox.left + bbox.width, u.valToPos(to, "x", true));
    if (b <= bbox.left || a >= bbox.left + bbox.width) return;
    ctx.fillStyle = this.colors.episode;
    ctx.fillRect(a, bbox.top, Math.max(b - a, 2 * px()), bbox.height);
  }

  private drawLevel(u: uPlot): void {
    if (this.level === null) return;
    const { ctx, bbox } = u;
    const y = Math.round(u.valToPos(this.level, "y", true)) + 0.5;
    ctx.strokeStyle = this.colors.limitCritical;
    ctx.lineWidth = 1.2 * px();
    ctx.setLineDash([5 * px(), 4 * px()]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
  }
}
