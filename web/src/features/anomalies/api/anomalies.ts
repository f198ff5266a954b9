import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
import type { Anomaly } from "@/api/types";

const LIMIT = 200;

export const anomaliesQuery = (assetId: string) =>
  queryOptions({
    queryKey: ["anomalies", assetId],
    queryFn: async ({ signal }) => {
      const query = { asset_id: assetId, limit: LIMIT };
      return (await answerOf(client.GET("/api/v1/anomalies", { params: { query }, signal }))).anomalies;
    },
    refetchInterval: 30_000,
  });

/** Say what a finding turned out to be. */
export function useMarkAnomaly() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, status, note }: { id: string; status: Anomaly["status"]; note: string }) =>
      answerOf(
        client.PATCH("/api/v1/anomalies/{anomaly_id}", { params: { path: { anomaly_id: id } }, body: { status, note } }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["anomalies"] }),
  });
}
