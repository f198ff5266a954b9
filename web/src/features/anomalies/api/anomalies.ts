import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
import type { Anomaly, Verdict } from "@/api/types";

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

/** What looked like it before. */
export const similarQuery = (id: string) =>
  queryOptions({
    queryKey: ["anomalies", "similar", id],
    queryFn: async ({ signal }) => {
      const params = { path: { anomaly_id: id } };
      return (await answerOf(client.GET("/api/v1/anomalies/{anomaly_id}/similar", { params, signal }))).similar;
    },
  });

/** What its model made of the time around it; asked again while it lasts. */
export const courseQuery = ({ id, ended_at }: Pick<Anomaly, "id" | "ended_at">) =>
  queryOptions({
    queryKey: ["anomalies", "course", id, ended_at],
    queryFn: ({ signal }) =>
      answerOf(client.GET("/api/v1/anomalies/{anomaly_id}/course", { params: { path: { anomaly_id: id } }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (ended_at === null && query.state.data ? 30_000 : false),
    retry: false,
  });

/** What the model that spoke was made with; null where it is not kept here. */
export const configHashQuery = (model: string) =>
  queryOptions({
    queryKey: ["models", "config", model],
    queryFn: async ({ signal }) => {
      const { data } = await client.GET("/api/v1/models/{model_id}", { params: { path: { model_id: model } }, signal });
      return data?.card.config_hash ?? null;
    },
    staleTime: Infinity,
  });

/** Where the machine speaks now; asked often for a while after somebody has answered. */
export const thresholdsQuery = (assetId: string, answeredAt: string) =>
  queryOptions({
    queryKey: ["models", "thresholds", assetId],
    queryFn: async ({ signal }) => {
      const params = { path: { asset_id: assetId } };
      return (await answerOf(client.GET("/api/v1/assets/{asset_id}/model", { params, signal }))).thresholds;
    },
    refetchInterval: () => (Date.now() - Date.parse(answeredAt) < 20_000 ? 1_000 : 30_000),
  });

function useRefresh(...keys: string[]): () => Promise<unknown> {
  const queries = useQueryClient();
  return () => Promise.all(keys.map((key) => queries.invalidateQueries({ queryKey: [key] })));
}

/** Say what a finding turned out to be. */
export function useMarkAnomaly() {
  const refresh = useRefresh("anomalies");
  return useMutation({
    mutationFn: ({ id, status, note }: { id: string; status: Anomaly["status"]; note: string }) =>
      answerOf(
        client.PATCH("/api/v1/anomalies/{anomaly_id}", { params: { path: { anomaly_id: id } }, body: { status, note } }),
      ),
    onSuccess: refresh,
    onError: () => void refresh(),
  });
}

/** Say whether a finding was right; null takes back what was said. */
export function useFeedback() {
  const refresh = useRefresh("anomalies", "models");
  return useMutation({
    mutationFn: ({ id, verdict, note }: { id: string; verdict: Verdict | null; note: string }) => {
      const params = { path: { anomaly_id: id } };
      const path = "/api/v1/anomalies/{anomaly_id}/feedback";
      return verdict
        ? answerOf(client.PUT(path, { params, body: { verdict, note } }))
        : answerOf(client.DELETE(path, { params }));
    },
    onSuccess: refresh,
    onError: () => void refresh(),
  });
}
