import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import type { AuditAction, AuditFilter, Grant, PersonChange } from "@/api/types";
import { answerOf, client, doneOf } from "@/api/client";

export const peopleQuery = queryOptions({
  queryKey: ["people"],
  queryFn: async ({ signal }) => (await answerOf(client.GET("/api/v1/people", { signal }))).people,
});

export const rolesQuery = queryOptions({
  queryKey: ["roles"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/roles", { signal })),
  staleTime: 60_000,
});

export const machinesQuery = queryOptions({
  queryKey: ["machines"],
  queryFn: async ({ signal }) => (await answerOf(client.GET("/api/v1/machines", { signal }))).machines,
  refetchInterval: 10_000,
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async ({ signal }) => (await answerOf(client.GET("/api/v1/sessions", { signal }))).sessions,
  refetchInterval: 15_000,
});

const PAGE = 100;

export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ["audit", filter],
    initialPageParam: undefined as number | undefined,
    queryFn: ({ signal, pageParam }) => {
      const { action, ...rest } = filter;
      const deeds = action ? { action: [action as AuditAction] } : {};
      const query = { ...rest, ...deeds, limit: PAGE, ...(pageParam === undefined ? {} : { before: pageParam }) };
      return answerOf(client.GET("/api/v1/audit", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next ?? undefined,
  });

export function auditExportUrl(filter: AuditFilter): string {
  const set = Object.entries(filter).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `/api/v1/audit/export?${new URLSearchParams(set)}`;
}

/** A change of who may do what; afterwards the list named by `key` is read again. */
function useChange<In, Out>(key: string, change: (input: In) => Promise<Out>) {
  const queries = useQueryClient();
  const refresh = (): Promise<void> => queries.invalidateQueries({ queryKey: [key] });
  return useMutation({ mutationFn: change, onSuccess: refresh, onError: () => void refresh() });
}

export const useAddPerson = () =>
  useChange("people", (body: { name: string; full_name: string; grants: Grant[] }) =>
    answerOf(client.POST("/api/v1/people", { body })),
  );

export const useChangePerson = () =>
  useChange("people", ({ id, ...body }: PersonChange & { id: string }) =>
    answerOf(client.PATCH("/api/v1/people/{person_id}", { params: { path: { person_id: id } }, body })),
  );

export const useResetPassword = () =>
  useChange("people", (id: string) =>
    answerOf(client.POST("/api/v1/people/{person_id}/password", { params: { path: { person_id: id } } })),
  );

export const useAddMachine = () =>
  useChange("machines", (body: { name: string; grants: Grant[] }) => answerOf(client.POST("/api/v1/machines", { body })));

export const useEnrolAgain = () =>
  useChange("machines", (id: string) =>
    answerOf(client.POST("/api/v1/machines/{machine_id}/enrolment", { params: { path: { machine_id: id } } })),
  );

export const useRevokeMachine = () =>
  useChange("machines", (id: string) =>
    doneOf(client.DELETE("/api/v1/machines/{machine_id}", { params: { path: { machine_id: id } } })),
  );

export const useEndSession = () =>
  useChange("sessions", (id: string) =>
    doneOf(client.DELETE("/api/v1/sessions/{session_id}", { params: { path: { session_id: id } } })),
  );
