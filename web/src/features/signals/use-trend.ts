import { useEffect, useMemo, useState } from "react";
import { live } from "@/api/live";
import { ChartGroup } from "@/charts/chart-group";
import type { TimeChart } from "@/charts/time-chart";
import type { TimeChoice } from "@/ui/time-range";
import { TraceFeed } from "./trace-feed";

const IDLE_ADVANCE_MS = 2_000;
const POINTS_PER_PIXEL = 1.25;

export interface Trend {
  feed: TraceFeed;
  group: ChartGroup;
  chartOf: Map<string, TimeChart>;
  /** Changes when a load has ended, for what is drawn by React (states, table). */
  version: number;
}

const serverNow = (): number => Date.now() + live.clockOffsetMs;

function createKit(signals: readonly string[], onLoaded: () => void): Omit<Trend, "version"> {
  const to = serverNow();
  const group = new ChartGroup(`trend-${signals[0] ?? ""}-${to}`, { from: to - 3_600_000, to });
  const chartOf = new Map<string, TimeChart>();
  const points = Math.round(Math.min(3000, Math.max(500, window.innerWidth * POINTS_PER_PIXEL)));
  const feed: TraceFeed = new TraceFeed(signals, points, serverNow, (touched) => {
    if (touched === "all") {
      group.show(feed.window());
      onLoaded();
      return;
    }
    group.window = feed.window();
    for (const id of touched) chartOf.get(id)?.requestLiveDraw();
  });
  return { feed, group, chartOf };
}

/** Let the live stream into the feed, and time go on where no reading comes. */
function follow({ feed, group, chartOf }: Omit<Trend, "version">): () => void {
  const offs = [
    live.want(feed.signals),
    live.on("readings", (readings) => feed.accept(readings)),
    live.on("gap", () => void feed.fillGap()),
  ];
  const timer = setInterval(() => {
    if (!feed.isLive || document.hidden) return;
    const now = feed.window();
    if (now.to - group.window.to < IDLE_ADVANCE_MS) return;
    group.window = now;
    for (const chart of chartOf.values()) chart.requestLiveDraw();
  }, IDLE_ADVANCE_MS);
  return () => {
    for (const off of offs) off();
    clearInterval(timer);
    feed.close();
  };
}

/** Traces of these signals that follow the choice of time and the live stream; charts are moved, never rebuilt. */
export function useTrend(signals: readonly string[], choice: TimeChoice): Trend {
  const key = signals.join(",");
  const [version, setVersion] = useState(0);
  const kit = useMemo(() => createKit(key.split(",").filter(Boolean), () => setVersion((v) => v + 1)), [key]);
  useEffect(() => follow(kit), [kit]);

  const choiceKey = choice.kind === "live" ? choice.range : `${choice.from}-${choice.to}`;
  useEffect(() => {
    void kit.feed.load(choice);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- choiceKey stands for choice
  }, [kit, choiceKey]);

  return { ...kit, version };
}
