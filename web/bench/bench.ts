import "uplot/dist/uPlot.min.css";
import "@/ui/styles.css";
import { ChartGroup } from "@/charts/chart-group";
import { TimeChart } from "@/charts/time-chart";
import { Trace } from "@/charts/trace";

const CHARTS = 20;
const POINTS = 3600;
const SPAN_MS = POINTS * 1000;

/** `?every` redraws each chart each second; without it a chart waits for half a pixel of time, as the product does. */
const everyTick = location.search === "?every";

/** Twenty charts with an hour of 1 Hz readings each; the page that shows them adds one reading a second to all. */
function setUp(): () => void {
  const root = document.getElementById("charts") as HTMLElement;
  let now = Math.floor(Date.now() / 1000) * 1000;
  const group = new ChartGroup("bench", { from: now - SPAN_MS, to: now });
  const value = (chart: number, ms: number): number =>
    50 + chart + Math.sin(ms / 60_000 + chart) * 4 + Math.random() * 2 - 1;
  const lines = Array.from({ length: CHARTS }, (_, i) => {
    const cell = root.appendChild(document.createElement("div"));
    const trace = new Trace();
    const time = Array.from({ length: POINTS }, (_, k) => now - SPAN_MS + k * 1000);
    trace.load({ time_ms: time, value: time.map((ms) => value(i, ms)), bad: [] });
    const limits = { low_critical: null, low: null, high: 58 + i, high_critical: 64 + i };
    return { trace, chart: new TimeChart(cell, { trace, limits, group, height: 138, gapMs: () => 5000 }) };
  });
  return () => {
    now += 1000;
    group.window = { from: now - SPAN_MS, to: now };
    for (const [i, { trace, chart }] of lines.entries()) {
      trace.append(now, value(i, now));
      if (everyTick) chart.requestDraw();
      else chart.requestLiveDraw();
    }
  };
}

const tick = setUp();
let ticks = 0;
setInterval(() => {
  tick();
  ticks++;
}, 1000);
Object.assign(window, { benchTicks: () => ticks });
