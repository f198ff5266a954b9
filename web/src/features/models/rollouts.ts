import type { Candidate, Rollout } from "@/api/types";
import { formatCount, formatDuration, formatTime, formatValue } from "@/ui/format";
import { formatShare } from "./words";

type Next = NonNullable<Rollout["next"]>;
type Seen = NonNullable<Rollout["challenger"]>;

const HOURS_A_WEEK = 168;
const STEPS = ["shadow", "canary", "champion", "watched"] as const;
export type Place = "done" | "here" | "ahead";

/** Its way, and where on it a rollout is; nothing of the way is left where it took over and was watched. */
export function stepsOf({ state, is_over }: Pick<Rollout, "state" | "is_over">): { step: string; place: Place }[] {
  const at = is_over && state === "champion" ? STEPS.length : STEPS.findIndex((step) => step === state);
  return STEPS.map((step, i) => ({ step, place: i < at ? "done" : i === at ? "here" : "ahead" }));
}

export const machinesWords = (count: number): string => (count === 1 ? "1 machine" : `${formatCount(count)} machines`);

/** What the new models do at this step. */
export function standsWords({ state, machines }: Pick<Rollout, "state" | "machines">): string {
  const acting = machines.filter(({ acts }) => acts).length;
  const many = machines.length > 1;
  if (state === "candidate") return "It begins within a minute.";
  if (state === "shadow") return many ? "The new models score beside the champions; nobody hears of them yet." : "The new model scores beside the champion; nobody hears of it yet.";
  if (state === "canary") {
    return acting < machines.length
      ? `The new models act on ${formatCount(acting)} of ${machinesWords(machines.length)}; on the others the champions do.`
      : `The new ${many ? "models act on all machines" : "model acts"}, on trial: ${many ? "the champions score" : "the champion scores"} beside.`;
  }
  return many ? "The new models act on all machines, and are watched." : "The new model acts, and is watched.";
}

/** When it goes on, and what is missing until then. */
export function nextWords({ state, at, rows, least_rows }: Next, nowMs: number): string {
  const left = at === null ? 0 : (Date.parse(at) - nowMs) / 1000;
  if (state === "watched") return left > 0 ? `The watch ends ${formatTime(at, nowMs)}, in ${formatDuration(left)}.` : "The watch ends within a minute.";
  const to = state === "canary" ? "To canary" : "To champion";
  const scored = rows < least_rows ? `${formatCount(rows)} of ${formatCount(least_rows)} rows` : `${formatCount(rows)} rows, enough`;
  if (at === null) return `${to}: as soon as enough is scored; ${scored} so far.`;
  if (left <= 0) return rows < least_rows ? `${to}: as soon as enough is scored; ${scored}.` : `${to}: within a minute.`;
  return `${to}: not before ${formatTime(at, nowMs)}, in ${formatDuration(left)}; ${scored}.`;
}

export interface Measure {
  name: string;
  challenger: number | null;
  champion: number | null;
  bound: number | null;
  /** The bound is the least that it must reach, not the most. */
  least: boolean;
  /** Of the bars. */
  top: number;
  beyond: boolean;
  shown: (value: number | null) => string;
  /** The bound in words. */
  boundWords: string;
}

const share = (value: number | null): string => formatShare(value ?? undefined);
const percent = (value: number | null): string => (value === null ? "–" : `${String(Math.round(value * 100))} %`);
const errorsOf = (seen: Seen | null): number | null => (seen?.calls ? seen.errors / seen.calls : null);

/** What both sides did in this step, beside what is still taken. */
export function measuresOf({ challenger, champion, bounds }: Pick<Rollout, "challenger" | "champion" | "bounds">): Measure[] {
  const measure = (
    name: string,
    of: (seen: Seen | null) => number | null,
    bound: number | null | undefined,
    shown: Measure["shown"],
    least = false,
  ): Measure => {
    const [ours, theirs, limit] = [of(challenger), of(champion), bound ?? null];
    const beyond = ours !== null && limit !== null && (least ? ours < limit : ours > limit);
    const top = least ? 1 : Math.max(ours ?? 0, theirs ?? 0, limit ?? 0) * 1.2 || 1;
    const boundWords = limit === null ? "–" : `${least ? "at least" : "at most"} ${shown(limit)}`;
    return { name, challenger: ours, champion: theirs, bound: limit, least, top, beyond, shown, boundWords };
  };
  const alarms = measure("Alarms, an asset-week", (seen) => seen?.alarms_per_week ?? null, bounds?.alarms_per_week, formatValue);
  return [
    { ...alarms, boundWords: alarmBound(alarms, challenger) },
    measure("Latency, 99th percentile", (seen) => seen?.latency_ms ?? null, bounds?.latency_ms, (ms) => (ms === null ? "–" : `${formatValue(ms)} ms`)),
    measure("Calls that failed", errorsOf, bounds?.errors, share),
    measure("Rows with an opinion", (seen) => seen?.opinions ?? null, bounds?.opinions, percent, true),
  ];
}

/** As it may be chance, more are taken at first: so many in the time that was judged. */
function alarmBound({ bound, boundWords }: Measure, challenger: Seen | null): string {
  const by = bound === null || !challenger ? 0 : Math.round((bound * challenger.hours) / HOURS_A_WEEK);
  return by > 0 ? `${boundWords}, ${formatCount(by)} by now` : boundWords;
}

/** Time of all machines together: 40 machine-minutes, 1.5 machine-hours. */
function machineTime(hours: number): string {
  const minutes = Math.round(hours * 60);
  if (minutes < 1) return "less than a machine-minute";
  const [count, unit] = minutes < 60 ? [minutes, "minute"] : [hours, "hour"];
  const shown = count.toLocaleString("en-US", { maximumFractionDigits: 1 });
  return `${shown} machine-${unit}${shown === "1" ? "" : "s"}`;
}

/** How much was judged. */
export function seenWords(seen: Seen | null): string {
  if (!seen || seen.rows === 0) return "nothing yet";
  return `${formatCount(seen.rows)} rows in ${machineTime(seen.hours)}, ${seen.alarms === 1 ? "1 alarm" : `${formatCount(seen.alarms)} alarms`}`;
}

const REASONS: Record<NonNullable<Rollout["reason"]>, string> = {
  alarm_rate: "too many alarms",
  latency: "too slow",
  errors: "it failed too often",
  silent: "too seldom an opinion",
  unseen: "nothing was seen of it",
  misfit: "the plant's signals are others now",
  by_hand: "by hand",
};

/** How it ended. */
export function endWords({ state, reason }: Pick<Rollout, "state" | "reason">): string {
  if (state === "champion") return "Took over";
  return reason ? `Rolled back: ${REASONS[reason]}` : "Rolled back";
}

/** What is no fault of the new models is no warning. */
const FAULTLESS: readonly Rollout["reason"][] = ["by_hand", "unseen", "misfit"];

export function endMark({ state, reason }: Pick<Rollout, "state" | "reason">): string {
  if (state === "champion") return "normal";
  return FAULTLESS.includes(reason) ? "no_data" : "medium";
}

/** What comes of taking it back now. */
export function backWords({ state, machines }: Pick<Rollout, "state" | "machines">): string {
  const acting = machines.filter(({ acts }) => acts);
  const alone = acting.filter(({ champion_id }) => champion_id === null).length;
  const until = state === "champion" ? "the model before acts again" : "the champion acts again";
  return [
    acting.length
      ? `On ${machinesWords(acting.length)} ${until}.`
      : "What acts now goes on acting; nothing scores beside it any longer.",
    alone ? `${formatCount(alone)} of them then ${alone === 1 ? "has" : "have"} no model: limits and single signals are still watched.` : "",
    "What was rolled back is not tried again; what the next training brings is. It happens within seconds, behind gateways with their next heartbeat.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** What will happen to so many machines; share: of them, for the canary; null where none is chosen. */
export function beginWords(count: number, share: number | null): string {
  if (count === 0) return "Choose at least one machine.";
  if (share === null) return "Say on how many of them the new models act first.";
  const canary = Math.min(count, Math.max(1, Math.ceil(share * count - 1e-9)));
  const first = count === 1 ? "the new model acts on it" : `the new models act on ${formatCount(canary)} of ${machinesWords(count)}`;
  return (
    `At once: ${count === 1 ? "it scores beside its champion" : "they score beside their champions"}, and nobody hears of it. When enough was seen, ${first}` +
    `${canary < count ? ", later on all" : ", on trial"}. Then they are watched. What is too loud, too slow, too silent or fails goes back by itself, from any step.`
  );
}

/** What is under way, and what waits for it. */
export function waitingWords(open: number, candidates: readonly Pick<Candidate, "reason">[]): string {
  const aside = candidates.filter(({ reason }) => reason !== "").length;
  const ready = candidates.length - aside;
  const under = open === 0 ? "None is under way." : open === 1 ? "One is under way." : `${formatCount(open)} are under way.`;
  const waits =
    ready === 0
      ? "No candidate waits. A machine's first model acts at once; later ones come here."
      : `Candidates of ${machinesWords(ready)} wait. Usually the site begins their rollout by itself within a minute.`;
  return `${under} ${waits}${aside ? ` Of ${machinesWords(aside)} the candidate was set aside, for what its own card says.` : ""}`;
}
