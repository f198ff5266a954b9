import type uPlot from "uplot";
import { formatLimit } from "@/ui/format";
import type { ChartColors } from "./colors";
import type { LimitSet } from "./y-range";

export interface Mark {
  id: string;
  fromMs: number;
  toMs: number;
  severity: "low" | "medium" | "high" | "critical";
  label: string;
}

export interface OverlayState {
  limits: LimitSet;
  bad: readonly (readonly [number, number])[];
  marks: readonly Mark[];
  colors: ChartColors;
}

const LIMITS = [
  { key: "high_critical", label: "HH", critical: true, above: true },
  { key: "high", label: "H", critical: false, above: true },
  { key: "low", label: "L", critical: false, above: false },
  { key: "low_critical", label: "LL", critical: true, above: false },
] as const;

/** Device pixels in a CSS pixel: canvases are drawn in the former. */
export const px = (): number => window.devicePixelRatio || 1;

let hatchCache: { key: string; pattern: CanvasPattern | null } = { key: "", pattern: null };

function hatch(ctx: CanvasRenderingContext2D, color: string): CanvasPattern | string {
  const key = `${color}@${px()}`;
  if (hatchCache.key !== key) {
    const size = Math.round(7 * px());
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    if (pen) {
      pen.strokeStyle = color;
      pen.lineWidth = px();
      pen.beginPath();
      for (const shift of [-size, 0, size]) {
        pen.moveTo(shift, size);
        pen.lineTo(shift + size, 0);
      }
      pen.stroke();
    }
    hatchCache = { key, pattern: ctx.createPattern(tile, "repeat") };
  }
  return hatchCache.pattern ?? color;
}

/** Spans of bad data: hatched, with words where they fit. Drawn under the line. */
export function drawBad(u: uPlot, { bad, colors }: OverlayState): void {
  const { ctx, bbox } = u;
  for (const [from, to] of bad) {
    const a = Math.max(bbox.left, u.valToPos(from, "x", true));
    const b = Math.min(bbox.left + bbox.width, u.valToPos(to, "x", true));
    if (b <= bbox.left || a >= bbox.left + bbox.width) continue;
    const width = Math.max(b - a, 2 * px());
    ctx.fillStyle = hatch(ctx, colors.hatch);
    ctx.fillRect(a, bbox.top, width, bbox.height);
    if (width > 64 * px()) {
      text(ctx, "bad data", a + width / 2, bbox.top + bbox.height - 6 * px(), colors.text, "center", colors.surface);
    }
  }
}

interface Label {
  words: string;
  y: number;
  color: string;
}

/** Limits inside the axis as dashed lines with bands beyond; those outside as an arrow. Names stand in the margin. */
export function drawLimits(u: uPlot, { limits, colors }: OverlayState): void {
  const { ctx, bbox } = u;
  const bottom = bbox.top + bbox.height;
  const { min = 0, max = 1 } = u.scales.y as { min?: number; max?: number };
  const labels: Label[] = [];
  for (const { key, label, critical, above } of LIMITS) {
    const value = limits[key];
    if (value === null || value === undefined) continue;
    if (value > max || value < min) {
      const out = value > max;
      labels.push({ words: `${label} ${formatLimit(value)} ${out ? "▲" : "▼"}`, y: out ? bbox.top : bottom, color: colors.muted });
      continue;
    }
    const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
    ctx.fillStyle = critical ? colors.bandCritical : colors.band;
    if (above) ctx.fillRect(bbox.left, bbox.top, bbox.width, Math.max(0, y - bbox.top));
    else ctx.fillRect(bbox.left, y, bbox.width, Math.max(0, bottom - y));
    ctx.strokeStyle = critical ? colors.limitCritical : colors.limit;
    ctx.lineWidth = px();
    ctx.setLineDash([5 * px(), 4 * px()]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    labels.push({ words: `${label} ${formatLimit(value)}`, y, color: colors.text });
  }
  drawLabels(ctx, labels, bbox.left + bbox.width + 6 * px(), bbox.top, bottom, colors.surface);
}

/** Names one under the other where they would cover each other, all between top and bottom. */
function drawLabels(
  ctx: CanvasRenderingContext2D,
  labels: Label[],
  x: number,
  top: number,
  bottom: number,
  halo: string,
): void {
  const line = 12 * px();
  for (const [i, y] of spread(labels.map((l) => l.y), line, top, bottom).entries()) {
    const label = labels[i] as Label;
    text(ctx, label.words, x, y + 3.5 * px(), label.color, "left", halo);
  }
}

/** Positions (given top down) moved apart so that neighbours are at least `gap` apart and stay within the bounds. */
export function spread(positions: readonly number[], gap: number, top: number, bottom: number): number[] {
  const out = positions.map((y) => Math.min(Math.max(y, top), bottom));
  for (let i = 1; i < out.length; i++) out[i] = Math.max(out[i] as number, (out[i - 1] as number) + gap);
  for (let i = out.length - 1; i >= 0; i--) {
    const limit = i === out.length - 1 ? bottom : (out[i + 1] as number) - gap;
    out[i] = Math.min(out[i] as number, limit);
  }
  return out;
}

/** Anomalies: a triangle on the top edge and a bar as long as the episode. */
export function drawMarks(u: uPlot, { marks, colors }: OverlayState): void {
  const { ctx, bbox } = u;
  const size = 5 * px();
  for (const mark of marks) {
    const a = u.valToPos(mark.fromMs, "x", true);
    const b = Math.min(u.valToPos(mark.toMs, "x", true), bbox.left + bbox.width);
    if (b < bbox.left || a > bbox.left + bbox.width) continue;
    const x = Math.max(a, bbox.left);
    ctx.fillStyle = colors.severity[mark.severity];
    ctx.fillRect(x, bbox.top, Math.max(b - x, px()), 2 * px());
    if (a < bbox.left) continue;
    ctx.beginPath();
    ctx.moveTo(a - size, bbox.top);
    ctx.lineTo(a + size, bbox.top);
    ctx.lineTo(a, bbox.top + size * 1.7);
    ctx.closePath();
    ctx.fill();
  }
}

function text(
  ctx: CanvasRenderingContext2D,
  words: string,
  x: number,
  y: number,
  color: string,
  align: CanvasTextAlign,
  halo: string,
): void {
  ctx.font = `500 ${10.5 * px()}px "Inter Variable", system-ui, sans-serif`;
  ctx.textAlign = align;
  ctx.textBaseline = "alphabetic";
  ctx.strokeStyle = halo;
  ctx.lineWidth = 3 * px();
  ctx.lineJoin = "round";
  ctx.strokeText(words, x, y);
  ctx.fillStyle = color;
  ctx.fillText(words, x, y);
}
