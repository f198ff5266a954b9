import { type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answerOf, client } from "@/api/client";
import type { Alarm, AlarmActionRequest, AlarmList } from "@/api/types";

/** Every alarm that is not normal; the pages filter it themselves, so counts and list always agree. */
export const alarmsQuery = queryOptions({
  queryKey: ["alarms"],
  queryFn: ({ signal }) => answerOf(client.GET("/api/v1/alarms", { signal })),
  refetchInterval: 4_000,
});

export const journalQuery = (id: string) =>
  queryOptions({
    queryKey: ["journal", id],
    queryFn: ({ signal }) => answerOf(client.GET("/api/v1/alarms/journal", { params: { query: { id } }, signal })),
  });

export type AlarmAction = AlarmActionRequest["action"];
export type AlarmCommand = AlarmActionRequest;

/** Replace alarms in the cached list by what the server now says of them. */
export function patchAlarms(queries: QueryClient, changed: readonly Alarm[]): void {
  queries.setQueryData<AlarmList>(alarmsQuery.queryKey, (old) => {
    if (!old) return old;
    const byId = new Map(old.alarms.map((alarm) => [alarm.id, alarm]));
    for (const alarm of changed) {
      if (alarm.state === "normal") byId.delete(alarm.id);
      else byId.set(alarm.id, alarm);
    }
    const alarms = [...byId.values()];
    const counts: Record<string, number> = {};
    for (const { state } of alarms) counts[state] = (counts[state] ?? 0) + 1;
    return { alarms, counts };
  });
}

/** Ask for one action on many alarms; each answers for itself. */
export function useAlarmAction() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (command: AlarmCommand) => {
      return (await answerOf(client.POST("/api/v1/alarms/actions", { body: command }))).results;
    },
    onSuccess: (results) => {
      patchAlarms(
        queries,
        results.flatMap((r) => (r.alarm ? [r.alarm] : [])),
      );
      void queries.invalidateQueries({ queryKey: ["journal"] });
      void queries.invalidateQueries({ queryKey: ["assets"] });
    },
  });
}
