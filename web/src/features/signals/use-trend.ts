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

/** Traces of these signals that follow the choice of time and the live stream; charts are moved, never rebuilt. */
export function useTrend(signals: readonly string[], choice: TimeChoice): Trend {
  const key = signals.join(",");
  const [version, setVersion] = useState(0);
  const kit = useMemo(() => {
    const now = (): number => Date.now() + live.clockOffsetMs;
    const group = new ChartGroup(`trend-${key.length}-${now()}`, { from: now() - 3_600_000, to: now() });
    const chartOf = new Map<string, TimeChart>();
    const points = Math.round(Math.min(3000, Math.max(500, window.innerWidth * POINTS_PER_PIXEL)));
    const feed: TraceFeed = new TraceFeed(key.split(",").filter(Boolean), points, now, (touched) => {
      if (touched === "all") {
        group.show(feed.window());
        setVersion((v) => v + 1);
        return;
      }
      group.window = feed.window();
      for (const id of touched) chartOf.get(id)?.requestLiveDraw();
    });
    return { feed, group, chartOf };
  }, [key]);

  useEffect(() => {
    const { feed, group, chartOf } = kit;
    const wanted = live.want(feed.signals);
    const offs = [live.on("readings", (r) => feed.accept(r)), live.on("gap", () => void feed.fillGap())];
    const timer = setInterval(() => {
      if (!feed.isLive || document.hidden) return;
      const window = feed.window();
      if (window.to - group.window.to < IDLE_ADVANCE_MS) return;
      group.window = window;
      for (const chart of chartOf.values()) chart.requestLiveDraw();
    }, IDLE_ADVANCE_MS);
    return () => {
      wanted();
      for (const off of offs) off();
      clearInterval(timer);
      feed.close();
    };
  }, [kit]);

  const choiceKey = choice.kind === "live" ? choice.range : `${choice.from}-${choice.to}`;
  useEffect(() => {
    void kit.feed.load(choice);
    kit.group.show(kit.feed.window());
    setVersion((v) => v + 1);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- choiceKey stands for choice
  }, [kit, choiceKey]);

  return { ...kit, version };
}
