import uPlot from "uplot";
import type { ChartGroup } from "./chart-group";
import { readColors } from "./colors";
import { drawLine } from "./draw-line";
import { bindTouch } from "./gestures";
import { drawBad, drawLimits, drawMarks, type Mark, type OverlayState, px } from "./overlays";
import { cancelDraw, requestDraw } from "./ticker";
import { tickLabels, valueLabel } from "./time-axis";
import type { Trace } from "./trace";
import { type LimitSet, yRange } from "./y-range";

export interface CursorReading {
  timeMs: number;
  value: number | null;
  mark: Mark | null;
  left: number;
}

export interface TimeChartOptions {
  trace: Trace;
  limits: LimitSet;
  group: ChartGroup;
  height: number;
  /** A silence longer than this breaks the line. */
  gapMs: () => number;
  onCursor?: (reading: CursorReading | null) => void;
}

const MARK_REACH_PX = 8;
const Y_AXIS_PX = 52;
const LIMIT_NAMES_PX = 66;
const LINE_PX = 1.5;

/** One signal over time on a canvas. Created once; points and windows change underneath it. */
export class TimeChart {
  readonly plot: uPlot;
  private readonly overlay: OverlayState;
  private yNow: [number, number] | undefined;
  private visible = true;
  private stale = true;
  private drawnAt = -Infinity;
  private readonly draw = (): void => this.drawNow();

  constructor(
    root: HTMLElement,
    private readonly options: TimeChartOptions,
  ) {
    this.overlay = { limits: options.limits, bad: [], marks: [], colors: readColors() };
    const size = { width: Math.max(root.clientWidth, 120), height: options.height };
    this.plot = new uPlot(this.config(size), [[], []], root);
    if (options.group) bindTouch(this.plot, options.group);
    options.group.charts.add(this);
    this.requestDraw();
  }

  destroy(): void {
    cancelDraw(this.draw);
    this.options.group.charts.delete(this);
    this.plot.destroy();
  }

  resize(width: number): void {
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  setMarks(marks: readonly Mark[]): void {
    this.overlay.marks = marks;
    this.requestDraw();
  }

  setVisible(visible: boolean): void {
    this.visible = visible;
    if (visible && this.stale) this.requestDraw();
  }

  readScheme(): void {
    this.overlay.colors = readColors();
    this.requestDraw();
  }

  requestDraw(): void {
    this.stale = true;
    if (this.visible) requestDraw(this.draw);
  }

  /** As requestDraw, unless time has moved by less than half a pixel since the last drawing. */
  requestLiveDraw(): void {
    const { from, to } = this.options.group.window;
    const halfPixelMs = (to - from) / Math.max(1, this.plot.width) / 2;
    if (performance.now() - this.drawnAt >= halfPixelMs) this.requestDraw();
  }

  /** Draw at once; what the ticker calls. */
  drawNow(): void {
    if (!this.visible) return;
    this.stale = false;
    this.drawnAt = performance.now();
    const { trace, group, limits } = this.options;
    const { from, to } = group.window;
    const { time, value } = trace.buffer.view();
    this.overlay.bad = trace.spans(to);
    this.yNow = yRange(trace.buffer.extent(from, to), limits, this.yNow);
    const [min, max] = this.yNow;
    this.plot.batch(() => {
      this.plot.setData([time, value] as unknown as uPlot.AlignedData, false);
      this.plot.setScale("x", { min: from, max: to });
      this.plot.setScale("y", { min, max });
    });
  }

  private config(size: { width: number; height: number }): uPlot.Options {
    const { group, gapMs } = this.options;
    const overlay = this.overlay;
    const axis: uPlot.Axis = {
      stroke: () => overlay.colors.muted,
      grid: { stroke: () => overlay.colors.grid, width: 1 },
      ticks: { show: false },
      font: '11px "Inter Variable", system-ui, sans-serif',
    };
    return {
      ...size,
      ms: 1,
      padding: [10, LIMIT_NAMES_PX, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      axes: [
        { ...axis, size: 24, gap: 4, space: 76, values: (_u, splits, _i, _s, incr) => tickLabels(splits, incr) },
        { ...axis, size: Y_AXIS_PX, gap: 6, space: 20, values: (_u, splits, _i, _s, incr) => splits.map((v) => valueLabel(v, incr)) },
      ],
      series: [
        {},
        { stroke: () => overlay.colors.line, points: { show: false }, paths: () => null },
      ],
      cursor: {
        y: false,
        points: { size: 7, fill: () => overlay.colors.surface, stroke: () => overlay.colors.line, width: 2 },
        drag: { x: true, y: false, setScale: false, dist: 6 },
        sync: { key: group.key, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        bind: {
          dblclick: () => () => {
            group.onReset();
            return null;
          },
        },
      },
      hooks: {
        drawClear: [(u) => drawBad(u, overlay)],
        drawAxes: [(u) => drawLimits(u, overlay)],
        drawSeries: [(u) => drawLine(u, { color: overlay.colors.line, width: LINE_PX * px(), gapMs: gapMs() })],
        draw: [(u) => drawMarks(u, overlay)],
        setSelect: [(u) => this.onSelect(u)],
        setCursor: [(u) => this.options.onCursor?.(this.reading(u))],
      },
    };
  }

  private onSelect(u: uPlot): void {
    const { left, width } = u.select;
    if (width < 6) return;
    const window = { from: u.posToVal(left, "x"), to: u.posToVal(left + width, "x") };
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.options.group.onCommit(window);
  }

  private reading(u: uPlot): CursorReading | null {
    const { left = -1, idx } = u.cursor;
    if (left < 0 || idx === null || idx === undefined) return null;
    const { time, value } = this.options.trace.buffer.view();
    const found = value[idx];
    const mark = this.overlay.marks.find((m) => Math.abs(u.valToPos(m.fromMs, "x") - left) < MARK_REACH_PX);
    const good = found !== undefined && !Number.isNaN(found) ? found : null;
    return { timeMs: time[idx] ?? 0, value: good, mark: mark ?? null, left };
  }
}
