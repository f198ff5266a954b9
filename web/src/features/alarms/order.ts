import type { Alarm } from "@/api/types";

export const PRIORITIES = ["critical", "high", "medium", "low", "advisory"] as const;
export const STATES = [
  "unacknowledged",
  "acknowledged",
  "returned",
  "shelved",
  "suppressed",
  "out_of_service",
] as const;

/** States an operator has to deal with; the others are set aside on purpose. */
const PRESENT = new Set<string>(["unacknowledged", "acknowledged", "returned"]);

export interface AlarmFilter {
  state?: string;
  priority?: string;
  asset?: string;
}

/** Without a state: what is present (unacknowledged, acknowledged, returned). */
export function filterAlarms(alarms: readonly Alarm[], { state, priority, asset }: AlarmFilter): Alarm[] {
  const wanted = asset?.toLowerCase();
  return alarms.filter(
    (a) =>
      (state ? a.state === state : PRESENT.has(a.state)) &&
      (!priority || a.priority === priority) &&
      (!wanted || a.asset_id.toLowerCase() === wanted || a.asset_name.toLowerCase().includes(wanted)),
  );
}

const rank = (alarm: Alarm): number => PRIORITIES.indexOf(alarm.priority);
const raised = (alarm: Alarm): number => (alarm.raised_at ? Date.parse(alarm.raised_at) : 0);
/** Nobody has acknowledged it; first what is still active, then what has returned to normal meanwhile. */
const waiting = (alarm: Alarm): number => ["unacknowledged", "returned"].indexOf(alarm.state) + 1 || 3;

/** By priority, then what still waits for somebody, then newest first. */
export function sortAlarms(alarms: readonly Alarm[]): Alarm[] {
  return [...alarms].sort((a, b) => rank(a) - rank(b) || waiting(a) - waiting(b) || raised(b) - raised(a));
}

export interface PriorityGroup {
  priority: string;
  alarms: Alarm[];
}

export function groupByPriority(alarms: readonly Alarm[]): PriorityGroup[] {
  const sorted = sortAlarms(alarms);
  return PRIORITIES.map((priority) => ({ priority, alarms: sorted.filter((a) => a.priority === priority) })).filter(
    (group) => group.alarms.length > 0,
  );
}

export interface BannerNews {
  top: Alarm;
  newest: Alarm;
  count: number;
}

/** The most urgent unacknowledged alarm, how many there are, and the newest. Null when there is none. */
export function bannerNews(alarms: readonly Alarm[]): BannerNews | null {
  const waitingNow = sortAlarms(alarms.filter((a) => waiting(a) < 3));
  const top = waitingNow[0];
  if (!top) return null;
  const newest = waitingNow.reduce((a, b) => (raised(b) > raised(a) ? b : a));
  return { top, newest, count: waitingNow.length };
}
