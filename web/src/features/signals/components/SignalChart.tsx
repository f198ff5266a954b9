import { useEffect, useRef } from "react";
import { useLatest } from "@/api/latest";
import type { SignalInfo } from "@/api/types";
import type { Mark } from "@/charts/overlays";
import { type CursorReading, TimeChart } from "@/charts/time-chart";
import { formatQuantity, formatTime, formatUnit, prose, signalName } from "@/ui/format";
import type { Trend } from "../use-trend";
import { judgeValue } from "../judge-value";
import classes from "./SignalChart.module.css";

interface SignalChartProps {
  signal: SignalInfo;
  trend: Trend;
  marks: readonly Mark[];
}

const HEIGHT = 112;
/**
 * When the server calls a signal silent. A shorter silence is no gap: many sources report a value only when it changes.
 */
const SILENT_READINGS = 10;
const SILENT_MS = 30_000;
/** A gateway that thins a signal sends a reading a minute at the least, unless it is told otherwise. */
const THINNED_MS = 180_000;

/** One signal: its value now in large figures, and its course beside it. */
export function SignalChart({ signal, trend, marks }: SignalChartProps) {
  const root = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLDivElement>(null);
  const { feed, group, chartOf } = trend;

  useEffect(() => {
    const trace = feed.traces.get(signal.id);
    if (!root.current || !trace) return;
    const chart = new TimeChart(root.current, {
      trace,
      limits: signal.limits,
      group,
      height: HEIGHT,
      gapMs: () =>
        Math.max(signal.thinned ? THINNED_MS : SILENT_MS, (SILENT_READINGS * 1000) / Math.max(signal.rate_hz, 0.001), feed.thinnedMs * 6),
      onCursor: (reading) => showReading(readout.current, reading, signal.unit),
    });
    chartOf.set(signal.id, chart);
    const stop = watch(root.current, chart);
    return () => {
      stop();
      chartOf.delete(signal.id);
      chart.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- limits and rate belong to the signal's id
  }, [feed, group, chartOf, signal.id]);

  useEffect(() => chartOf.get(signal.id)?.setMarks(marks), [chartOf, signal.id, marks]);

  return (
    <article className={classes.row} aria-label={signalName(signal.name)} data-signal={signal.id}>
      <LatestValue signal={signal} />
      <div className={classes.plot}>
        <div ref={root} role="img" aria-label={`${signalName(signal.name)} over time; the table holds the same numbers`} />
        <div ref={readout} className={`${classes.readout} num`} aria-hidden="true" />
      </div>
    </article>
  );
}

function LatestValue({ signal }: { signal: SignalInfo }) {
  const latest = useLatest(signal.id);
  const value = latest ? latest.value : (signal.latest?.value ?? null);
  const quality = latest ? latest.quality : (signal.latest?.quality ?? null);
  const at = latest ? latest.timeMs : signal.latest?.time;
  const { word, tone } = judgeValue(value, quality, signal.limits);
  return (
    <div className={classes.latest}>
      <h3 className={classes.name}>{signalName(signal.name)}</h3>
      <div className={classes.value}>
        <span className={`${classes.figure} num`}>{formatQuantity(value, signal.unit)}</span>
        <span className={classes.unit}>{formatUnit(signal.unit)}</span>
      </div>
      <div className={`${classes.state} c-${tone}`} data-quiet={tone === "quiet" || undefined}>
        {word} <span className={`${classes.at} num`}>{formatTime(at)}</span>
      </div>
      {signal.learning ? <div className={classes.learning}>Learning what is usual</div> : null}
    </div>
  );
}

function showReading(node: HTMLElement | null, reading: CursorReading | null, unit: string): void {
  if (!node) return;
  node.hidden = reading === null;
  if (!reading) return;
  const value = reading.value === null ? "bad data" : `${formatQuantity(reading.value, unit)} ${formatUnit(unit)}`;
  node.textContent = `${formatTime(reading.timeMs)}  ${value}${reading.mark ? `  ▼ ${prose(reading.mark.label)}` : ""}`;
}

/** Keep the chart's size, visibility and colours in step with the page. */
function watch(root: HTMLElement, chart: TimeChart): () => void {
  const size = new ResizeObserver(([entry]) => entry && chart.resize(Math.floor(entry.contentRect.width)));
  const sight = new IntersectionObserver(([entry]) => entry && chart.setVisible(entry.isIntersecting), {
    rootMargin: "120px",
  });
  const scheme = new MutationObserver(() => chart.readScheme());
  size.observe(root);
  sight.observe(root);
  scheme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
  return () => {
    size.disconnect();
    sight.disconnect();
    scheme.disconnect();
  };
}
