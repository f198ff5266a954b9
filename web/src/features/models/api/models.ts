import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
import type { Job } from "@/api/types";

const MOST = 10_000;
const CURRENT = ["champion", "candidate", "shadow", "canary"] as const;

/** What acts on the machines, and what waits to; asked anew with every machine that `job` has done. */
export const modelsQuery = (job: Job | null | undefined) =>
  queryOptions({
    queryKey: ["models", "", job?.id, job?.done],
    queryFn: async ({ signal }) =>
      (await answerOf(client.GET("/api/v1/models", { params: { query: { state: [...CURRENT], limit: MOST } }, signal }))).models,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });

/** One machine's: champion, challenger, history, threshold. */
export const assetModelQuery = (asset: string) =>
  queryOptions({
    queryKey: ["models", asset],
    queryFn: ({ signal }) => answerOf(client.GET("/api/v1/assets/{asset_id}/model", { params: { path: { asset_id: asset } }, signal })),
    refetchInterval: (query) => (query.state.data?.job?.ended_at === null ? 1_000 : 10_000),
  });

/** How the healthy rows lie that set a model's threshold. */
export const scoresQuery = (model: string) =>
  queryOptions({
    queryKey: ["models", "scores", model],
    queryFn: async ({ signal }) =>
      (await answerOf(client.GET("/api/v1/models/{model_id}/scores", { params: { path: { model_id: model } }, signal }))).regimes,
    staleTime: Infinity,
    retry: false,
  });

/** The newest job of training. */
export const trainingQuery = queryOptions({
  queryKey: ["jobs"],
  queryFn: async ({ signal }) =>
    (await answerOf(client.GET("/api/v1/jobs", { params: { query: { limit: 1 } }, signal }))).jobs[0] ?? null,
  refetchInterval: (query) => (query.state.data?.ended_at === null ? 1_000 : 10_000),
});

function useRefresh(): () => Promise<unknown> {
  const queries = useQueryClient();
  return () => Promise.all([queries.invalidateQueries({ queryKey: ["models"] }), queries.invalidateQueries({ queryKey: ["jobs"] })]);
}

/** Learn machines anew; none = all. */
export function useTrain() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (body: { assets: string[]; days: number }) => answerOf(client.POST("/api/v1/models/train", { body })),
    onSuccess: refresh,
  });
}

export function useCancelTraining() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (job: string) => answerOf(client.POST("/api/v1/jobs/{job_id}/cancel", { params: { path: { job_id: job } } })),
    onSuccess: refresh,
    onError: () => void refresh(),
  });
}

interface Chosen {
  model: string;
  reason: string;
}

export function usePromote() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ model, reason }: Chosen) =>
      answerOf(client.POST("/api/v1/models/{model_id}/promote", { params: { path: { model_id: model } }, body: { reason } })),
    onSuccess: refresh,
  });
}

export function useTakeBack() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ model, reason }: Chosen) =>
      answerOf(client.POST("/api/v1/models/{model_id}/rollback", { params: { path: { model_id: model } }, body: { reason } })),
    onSuccess: refresh,
  });
}
