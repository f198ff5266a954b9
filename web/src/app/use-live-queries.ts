import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { live } from "@/api/live";
import type { Anomaly } from "@/api/types";
import { patchAlarms } from "@/features/alarms/api/alarms";
import { assetsQuery } from "@/features/assets/api/assets";

/** The stream always carries the signals that head the worklist, so that the page knows how old its data is. */
const MOST_HEADLINES = 60;
const REFRESH_MS = 1_000;

/** Keeps the cached lists in step with the live stream, for those who may look. Used once, by the shell. */
export function useLiveQueries(enabled: boolean): void {
  const queries = useQueryClient();
  const { data, isFetched } = useQuery({ ...assetsQuery, enabled });
  const headlines = useMemo(() => {
    const ids = (data?.assets ?? []).flatMap((a) => (a.headline ? [a.headline.signal_id] : []));
    return ids.slice(0, MOST_HEADLINES).sort().join(",");
  }, [data]);

  useEffect(() => (headlines ? live.want(headlines.split(",")) : undefined), [headlines]);

  useEffect(() => {
    if (!isFetched) return;
    live.start();
    return () => live.stop();
  }, [isFetched]);

  useEffect(() => {
    const stale = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = (key: string): void => {
      stale.add(key);
      timer ??= setTimeout(() => {
        timer = undefined;
        for (const name of stale) void queries.invalidateQueries({ queryKey: [name] });
        stale.clear();
      }, REFRESH_MS);
    };
    const offs = [
      live.on("alarm", ({ alarm }) => {
        patchAlarms(queries, [alarm]);
        refresh("assets");
        refresh("journal");
      }),
      live.on("anomaly", (anomaly: Anomaly) => {
        const key = ["anomalies", anomaly.asset_id];
        if (queries.getQueryData(key)) refresh("anomalies");
        refresh("assets");
      }),
      live.on("gap", () => {
        for (const key of ["alarms", "assets", "anomalies"]) refresh(key);
      }),
    ];
    return () => {
      clearTimeout(timer);
      for (const off of offs) off();
    };
  }, [queries]);
}
