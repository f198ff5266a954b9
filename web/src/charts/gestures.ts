import type uPlot from "uplot";
import type { ChartGroup, TimeWindow } from "./chart-group";

/** The window after two fingers (or one) moved from `before` to `after`, as x fractions of the plot's width. */
export function gestureWindow(window: TimeWindow, before: readonly number[], after: readonly number[]): TimeWindow {
  const span = window.to - window.from;
  const [b0 = 0, b1] = before;
  const [a0 = 0, a1] = after;
  if (b1 === undefined || a1 === undefined) {
    const shift = (b0 - a0) * span;
    return { from: window.from + shift, to: window.to + shift };
  }
  const spread = Math.max(0.02, Math.abs(a1 - a0));
  const scale = Math.min(50, Math.max(0.02, Math.abs(b1 - b0) / spread));
  const middleBefore = window.from + ((b0 + b1) / 2) * span;
  const from = middleBefore - ((a0 + a1) / 2) * span * scale;
  return { from, to: from + span * scale };
}

/** Touch: one finger drags time sideways, two pinch it. Upright strokes still scroll the page. */
export function bindTouch(u: uPlot, group: ChartGroup): void {
  const { over } = u;
  over.style.touchAction = "pan-y";
  const fingers = new Map<number, number>();
  let start: { window: TimeWindow; at: number[] } | null = null;
  let moved = false;

  const fraction = (event: PointerEvent): number => {
    const box = over.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const restart = (): void => {
    start = fingers.size ? { window: group.window, at: [...fingers.values()] } : null;
  };
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, fraction(event));
    if (fingers.size === 1) moved = false;
    restart();
  });
  over.addEventListener("pointermove", (event) => {
    if (!start || !fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, fraction(event));
    const next = gestureWindow(start.window, start.at, [...fingers.values()]);
    if (!moved && fingers.size === 1 && Math.abs(fraction(event) - (start.at[0] ?? 0)) < 0.02) return;
    moved = true;
    group.show(next);
  });
  const lift = (event: PointerEvent): void => {
    if (!fingers.delete(event.pointerId)) return;
    restart();
    if (!fingers.size && moved) group.onCommit(group.window);
  };
  over.addEventListener("pointerup", lift);
  over.addEventListener("pointercancel", lift);
}
