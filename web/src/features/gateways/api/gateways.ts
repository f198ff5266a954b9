import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client, doneOf } from "@/api/client";
import type { NewRawRequest } from "@/api/types";

export const gatewaysQuery = queryOptions({
  queryKey: ["gateways"],
  queryFn: async ({ signal }) => (await answerOf(client.GET("/api/v1/gateways", { signal }))).gateways,
  refetchInterval: 3_000,
});

export const gatewayQuery = (gateway: string) =>
  queryOptions({
    queryKey: ["gateways", gateway],
    queryFn: ({ signal }) => answerOf(client.GET("/api/v1/gateways/{gateway}", { params: { path: { gateway } }, signal })),
    refetchInterval: 3_000,
  });

export const rawRequestsQuery = (gateway: string) =>
  queryOptions({
    queryKey: ["gateways", gateway, "requests"],
    queryFn: async ({ signal }) =>
      (await answerOf(client.GET("/api/v1/gateways/{gateway}/requests", { params: { path: { gateway } }, signal }))).requests,
    refetchInterval: 5_000,
  });

/** Ask for the raw readings that the gateway still holds. */
export function useAskForRaw(gateway: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: NewRawRequest) =>
      answerOf(client.POST("/api/v1/gateways/{gateway}/requests", { params: { path: { gateway } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: rawRequestsQuery(gateway).queryKey }),
  });
}

/** Ask no more for raw readings that have not come. */
export function useCancelRequest(gateway: string) {
  const queries = useQueryClient();
  const refresh = (): Promise<void> => queries.invalidateQueries({ queryKey: rawRequestsQuery(gateway).queryKey });
  return useMutation({
    mutationFn: (id: string) =>
      doneOf(
        client.DELETE("/api/v1/gateways/{gateway}/requests/{request_id}", {
          params: { path: { gateway, request_id: id } },
        }),
      ),
    onSuccess: refresh,
    onError: () => void refresh(),
  });
}

/** Forget a gateway that is no more. */
export function useRetireGateway(gateway: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => doneOf(client.DELETE("/api/v1/gateways/{gateway}", { params: { path: { gateway } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: gatewaysQuery.queryKey, exact: true }),
  });
}
