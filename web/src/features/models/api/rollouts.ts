import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";

const NEWEST = 50;

/** Rollouts, newest first, and what may be put into one now. */
export const rolloutsQuery = queryOptions({
  queryKey: ["rollouts"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/rollouts", { params: { query: { limit: NEWEST } }, signal })),
  refetchInterval: 30_000,
});

function useRefresh(): () => Promise<unknown> {
  const queries = useQueryClient();
  return () => Promise.all(["rollouts", "models"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
}

/** Candidates of these machines into the shadow, together. share: of the machines, that the canary acts on. */
export function useBeginRollout() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (body: { assets: string[]; share: number }) => answerOf(client.POST("/api/v1/rollouts", { body })),
    onSuccess: refresh,
  });
}

export function useRollBack() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ rollout, reason }: { rollout: string; reason: string }) =>
      answerOf(client.POST("/api/v1/rollouts/{rollout_id}/rollback", { params: { path: { rollout_id: rollout } }, body: { reason } })),
    onSuccess: refresh,
  });
}
