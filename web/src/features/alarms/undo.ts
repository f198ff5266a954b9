import type { Alarm } from "@/api/types";
import type { AlarmAction } from "./api/alarms";

const BACK: Partial<Record<Alarm["state"], AlarmAction>> = {
  shelved: "unshelve",
  suppressed: "unsuppress",
  out_of_service: "in_service",
};

/** The actions that bring set-aside alarms back, with the ids each applies to. */
export function backActions(alarms: readonly Alarm[]): { action: AlarmAction; ids: string[] }[] {
  const groups = new Map<AlarmAction, string[]>();
  for (const { id, state } of alarms) {
    const action = BACK[state];
    if (!action) continue;
    groups.set(action, [...(groups.get(action) ?? []), id]);
  }
  return [...groups].map(([action, ids]) => ({ action, ids }));
}
