import { answerOf, client } from "./client";
import type { SeriesAnswer } from "./types";

export interface SeriesQuestion {
  signals: readonly string[];
  fromMs: number;
  toMs: number;
  points: number;
}

/** Points of several signals in one window, thinned by the server so that no spike is lost. */
export function fetchSeries({ signals, fromMs, toMs, points }: SeriesQuestion, signal?: AbortSignal): Promise<SeriesAnswer> {
  const query = {
    signals: signals.join(","),
    start: new Date(fromMs).toISOString(),
    end: new Date(toMs).toISOString(),
    points,
  };
  return answerOf(client.GET("/api/v1/series", { params: { query }, signal }));
}

/** Where the same window can be had as a Parquet file, at full resolution. */
export function exportUrl(signals: readonly string[], fromMs: number, toMs: number): string {
  const query = new URLSearchParams({
    signals: signals.join(","),
    start: new Date(fromMs).toISOString(),
    end: new Date(toMs).toISOString(),
  });
  return `/api/v1/export?${query}`;
}
