import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { answerOf, client } from "@/api/client";
import { fetchSeries } from "@/api/series";

export const assetsQuery = queryOptions({
  queryKey: ["assets"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/assets", { signal })),
  refetchInterval: 5_000,
});

/** Names of the machines that one may see, by id. */
export function useAssetNames(): ReadonlyMap<string, string> {
  const { data } = useQuery(assetsQuery);
  return useMemo(() => new Map((data?.assets ?? []).map(({ id, name }) => [id, name])), [data]);
}

export const assetQuery = (id: string) =>
  queryOptions({
    queryKey: ["assets", id],
    queryFn: ({ signal }) =>
      answerOf(client.GET("/api/v1/assets/{asset_id}", { params: { path: { asset_id: id } }, signal })),
    refetchInterval: 5_000,
  });

const SPARK_MS = 15 * 60_000;
const SPARK_POINTS = 90;

/** The last 15 minutes of each of these signals, by id. */
export function useSparklines(signals: readonly string[]) {
  const ids = [...signals].sort();
  return useQuery({
    queryKey: ["sparklines", ids.join(",")],
    enabled: ids.length > 0,
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const now = Date.now();
      const answer = await fetchSeries(
        { signals: ids, fromMs: now - SPARK_MS, toMs: now, points: SPARK_POINTS },
        signal,
      );
      return new Map(answer.series.map((s) => [s.signal_id, s]));
    },
  });
}
