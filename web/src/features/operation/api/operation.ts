import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
import { problemOf } from "@/api/problem";
import type { FaultRequest, Readiness } from "@/api/types";

export const sourcesQuery = queryOptions({
  queryKey: ["sources"],
  queryFn: async ({ signal }) => (await answerOf(client.GET("/api/v1/sources", { signal }))).sources,
  refetchInterval: 3_000,
});

export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/system", { signal })),
  refetchInterval: 3_000,
});

/** A site that is not ready answers 503, and says which check fails in the same words. */
export const readinessQuery = queryOptions({
  queryKey: ["readiness"],
  queryFn: async ({ signal }): Promise<Readiness> => {
    const { data, error, response } = await client.GET("/readyz", { signal });
    return data ?? (response.status === 503 ? (error as Readiness) : Promise.reject(problemOf(error, response.status)));
  },
  refetchInterval: 5_000,
});

export const simulationQuery = queryOptions({
  queryKey: ["simulation"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/simulation", { signal })),
  refetchInterval: 5_000,
});

type Order =
  | { verb: "start" }
  | { verb: "stop" }
  | { verb: "inject"; fault: FaultRequest }
  | { verb: "clear"; asset_id: string; fault: string };

/** Tell the simulated plant what to do; each order answers with its new state. */
export function useSimulationOrder() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (order: Order) => {
      switch (order.verb) {
        case "start":
          return answerOf(client.POST("/api/v1/simulation/start"));
        case "stop":
          return answerOf(client.POST("/api/v1/simulation/stop"));
        case "inject":
          return answerOf(client.POST("/api/v1/simulation/faults", { body: order.fault }));
        case "clear": {
          const query = { asset_id: order.asset_id, fault: order.fault };
          return answerOf(client.DELETE("/api/v1/simulation/faults", { params: { query } }));
        }
      }
    },
    onSuccess: (simulation) => queries.setQueryData(simulationQuery.queryKey, simulation),
  });
}
