import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
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
