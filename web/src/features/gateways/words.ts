import type { GatewayBuffer, GatewayCondition, GatewayConnector, GatewayLedger, GatewaySummary, RawRequest } from "@/api/types";
import { formatBytes, formatCount, formatDuration, sentence } from "@/ui/format";

type State = GatewaySummary["state"];

const STATES: Record<State, { word: string; mark: string }> = {
  connected: { word: "Connected", mark: "normal" },
  catching_up: { word: "Catching up", mark: "advisory" },
  away: { word: "Away", mark: "alarm" },
  waiting: { word: "Not heard yet", mark: "no_data" },
  waiting_for_disk: { word: "Waits for its disk", mark: "alarm" },
};

export const stateWord = (state: State): string => STATES[state].word;
export const stateMark = (state: State): string => STATES[state].mark;

/** It is heard, and collects nothing. */
export const waitsForDisk = ({ state }: { state: State }): boolean => state === "waiting_for_disk";

export const NOTHING_COLLECTED = "Nothing is collected and no alarm is judged before the gateway's files can be opened.";

/** Why no device is told of: heading and what to expect. */
export function noDeviceWords(state: State): [string, string] {
  if (state === "waiting_for_disk") return ["Nothing is collected", "No device is read before the gateway's files can be opened: see its conditions."];
  if (state === "waiting") return ["No device is told of", "They come with the gateway's first heartbeat."];
  return ["No device is told of", "The gateway's file names none."];
}

const ROLES: Record<NonNullable<GatewaySummary["role"]>, string> = {
  alone: "No standby partner",
  active: "Active, a partner stands by",
  standby: "Standing by for its partner",
};

export const roleWords = (role: GatewaySummary["role"]): string => (role === null ? "Role not told yet" : ROLES[role]);

const SOURCES: Record<GatewayConnector["state"], string> = {
  connected: "normal",
  starting: "baselining",
  stale: "stale",
  reconnecting: "stale",
  misconfigured: "alarm",
  stopped: "no_data",
};

export const connectorMark = (state: GatewayConnector["state"]): string => SOURCES[state];

const GRAVE: readonly GatewayCondition["code"][] = [
  "misconfigured",
  "credentials_refused",
  "certificate_expired",
  "certificate_untrusted",
  "certificate_changed",
  "disk_full",
  "disk_read_only",
  "buffer_full",
  "buffer_damaged",
  "site_refuses",
  "failed",
];
const MILD: readonly GatewayCondition["code"][] = ["failed_over", "thinned_early", "standby_alone"];

/** How much a condition asks for attention. */
export function conditionMark(code: GatewayCondition["code"]): string {
  if (GRAVE.includes(code)) return "alarm";
  return MILD.includes(code) ? "advisory" : "medium";
}

export const conditionWord = (code: GatewayCondition["code"]): string => sentence(code);

export function silentWords({ signals, silent }: { signals: number; silent: number }): string {
  if (silent === 0) return "all are heard";
  return silent >= signals ? "none of them is heard" : `${formatCount(silent)} of them silent`;
}

/** What waits at the gateway and how long it will take. */
export function backlogWords(readings: number | null, seconds: number | null): string {
  if (readings === null) return "–";
  if (readings === 0) return "none";
  const left = seconds === null ? "not shrinking yet" : `about ${formatDuration(seconds)} left`;
  return `${formatCount(readings)} readings, ${left}`;
}

/** Share of the disk budget in use, 0 to 1. */
export function bufferShare({ raw_bytes, outbox_bytes, budget_bytes }: GatewayBuffer): number {
  return budget_bytes > 0 ? Math.min(1, (raw_bytes + outbox_bytes) / budget_bytes) : 0;
}

export function bufferWords(buffer: GatewayBuffer): string {
  const used = `${formatBytes(buffer.raw_bytes + buffer.outbox_bytes)} of ${formatBytes(buffer.budget_bytes)}`;
  const left = buffer.full_in_s === null ? "not filling up" : `lasts ${formatDuration(buffer.full_in_s)} without the site`;
  return `${used}, ${left}`;
}

/** A clock's difference in words; what is below its own uncertainty is none. */
export function clockWords(offset: number | null, roundTrip: number | null): string {
  if (offset === null) return "not measured yet";
  if (Math.abs(offset) <= Math.max(0.05, (roundTrip ?? 0) / 2)) return "same as the site's";
  return `${formatDuration(Math.abs(offset))} ${offset > 0 ? "behind" : "ahead of"} the site's`;
}

/** The way from the device plus what its clock is off. */
export function delayWords(delay: number | null): string {
  if (delay === null) return "–";
  return delay < -0.05 ? `clock ${formatDuration(-delay)} ahead` : formatDuration(Math.max(0, delay));
}

/** Readings that the two sums of the ledger leave unexplained; 0 where it adds up. */
export function unexplained(ledger: GatewayLedger): number {
  const { read, kept, thinned, in_hand, acknowledged, pending, refused, left_to_partner, thinned_early } = ledger;
  return Math.abs(read - kept - thinned - in_hand) + Math.abs(kept - acknowledged - pending - refused - left_to_partner - thinned_early);
}

/** The ledger as one sentence, and whether it adds up as another. */
export function ledgerWords(ledger: GatewayLedger): [string, string] {
  const told = `Of ${formatCount(ledger.read)} readings, ${formatCount(ledger.kept)} were kept to be sent and ${formatCount(ledger.thinned)} thinned out; the site has acknowledged ${formatCount(ledger.acknowledged)}.`;
  const off = unexplained(ledger);
  const sum = off === 0 ? "It adds up: nothing is missing." : `It does not add up: ${formatCount(off)} readings are unexplained.`;
  return [told, sum];
}

const REQUESTS: Record<RawRequest["state"], string> = {
  waiting: "Waits for the gateway",
  told: "Being sent",
  done: "Sent",
};

export const requestWord = (state: RawRequest["state"]): string => REQUESTS[state];
