import type { AssetModel, Job, JobItem, Model, ModelSummary } from "@/api/types";
import { formatCount, formatDuration, formatTime, formatValue, prose, sentence, signalName, words } from "@/ui/format";

type State = ModelSummary["state"];

const STATES: Record<State, { mark: string; says: string }> = {
  candidate: { mark: "baselining", says: "It was trained, and waits for a rollout or for you." },
  shadow: { mark: "baselining", says: "It scores beside the champion; nobody hears of it yet." },
  canary: { mark: "advisory", says: "It acts on a part of the machines of its rollout." },
  champion: { mark: "normal", says: "It acts on this machine." },
  retired: { mark: "no_data", says: "Another took its place." },
  rolled_back: { mark: "medium", says: "It was taken back." },
};

export const stateWord = (state: State): string => sentence(state);
export const stateMark = (state: State): string => STATES[state].mark;
export const stateSays = (state: State): string => STATES[state].says;

/** Enough of an id to tell models apart. */
export const shortId = (id: string): string => id.slice(0, 12);

/** A share of rows: 0.12 %. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return "–";
  return `${(share * 100).toLocaleString("en-US", { maximumFractionDigits: 2 })} %`;
}

/** How much healthy past it learned from: 14.2 days, 31,000 rows. */
export function trainedWords(model: Pick<ModelSummary, "trained_hours" | "rows">): string {
  const long = model.trained_hours >= 48;
  const span = long ? `${(model.trained_hours / 24).toFixed(1)} days` : `${model.trained_hours.toFixed(1)} h`;
  return `${span}, ${formatCount(model.rows)} rows`;
}

/** The smallest shift it finds, in healthy spreads. */
export function shiftWords(metrics: ModelSummary["metrics"]): string {
  const median = metrics.shift_median;
  return median === undefined ? "none found" : `${median} × its usual spread`;
}

export function shiftOf(shift: number | null | undefined): string {
  return shift === null || shift === undefined ? "not found" : `${shift} ×`;
}

const MOST_SHIFT = 32;

/** Length of its bar, 0-100; one that is not found fills it. */
export function shiftBar(shift: number | null): number {
  return shift === null ? 100 : Math.min(100, Math.max(2, (100 * shift) / MOST_SHIFT));
}

/** Ids of signals in a sentence by their names in words. */
export function namedIn(text: string, ids: readonly string[]): string {
  const names = new Map(ids.map((id) => [id, signalName(id.slice(id.lastIndexOf(".") + 1)).toLowerCase()]));
  return text.replace(/[^\s,;:()]+[^\s,;:().]/g, (word) => names.get(word) ?? word);
}

/** The card as sentences, for who must trust it. */
export function cardSentences(model: Model): string[] {
  const { card, metrics } = model;
  const judged = card.regimes.filter((rows) => rows > 0).length;
  const held = metrics.held_back_rows;
  return [
    `It learned ${formatCount(card.signals.length - card.left_out.length)} signals from ${trainedWords(model)} of healthy past.`,
    card.regimes.length > 1
      ? `The machine was run in ${card.regimes.length} ways; ${judged} of them are judged, each by itself.`
      : "The machine was run in one way.",
    held
      ? `Of ${formatCount(held)} healthy rows that it never saw, ${formatShare(metrics.over_threshold)} are over its threshold.`
      : "Too little healthy past to hold rows back for a test.",
    ...[sharedWords(card)].filter((told) => told !== null),
    ...card.notes.map((note) => namedIn(note, card.signals)),
  ];
}

export function costWords({ card }: Model): string {
  if (card.seconds === null) return "–";
  return formatDuration(card.seconds);
}

const ITEMS: Record<JobItem["state"], string> = {
  waiting: "baselining",
  done: "normal",
  not_enough_data: "advisory",
  failed: "alarm",
};

export const itemMark = (state: JobItem["state"]): string => ITEMS[state];

/** How far it is. Of a job of the site's own people may have taken every machine over. */
export const jobPercent = ({ done, total }: Pick<Job, "done" | "total">): number => (total > 0 ? (100 * done) / total : 0);

/** How a job of training stands. */
export function jobWords(job: Job): string {
  const why = job.why ? ` The site asked for it by itself: ${job.why.replace(/\.$/, "")}.` : "";
  return jobStands(job) + why;
}

function jobStands(job: Job): string {
  const machines = job.total === 1 ? "1 machine" : `${formatCount(job.total)} machines`;
  if (job.state === "cancelled") return `Training of ${machines} was cancelled after ${job.done}.`;
  if (job.ended_at === null) return job.phase ? `Training ${machines}: ${words(job.phase)}.` : `Training ${machines}: ${job.done} done.`;
  const few = job.items.filter(({ state }) => state === "not_enough_data").length;
  const failed = job.items.filter(({ state }) => state === "failed").length;
  const rest = [few ? `${few} had too little data` : "", failed ? `${failed} failed` : ""].filter(Boolean);
  return `Training of ${machines} is done${rest.length ? `: ${rest.join(", ")}` : ""}.`;
}

/** When the site learns the machine by itself, and why. */
export function nextTrainingWords({ at, why }: NonNullable<AssetModel["next_training"]>, nowMs = Date.now()): string {
  const when = at === null ? "no time is set" : Date.parse(at) <= nowMs ? "at once" : formatTime(at, nowMs);
  return `Next training by itself: ${when}. ${prose(why.replace(/\.$/, ""))}.`;
}

/** What acts on each machine, and the newest that waits to; every machine once, those without a model too. */
export function perMachine<A extends { id: string }>(assets: readonly A[], models: readonly ModelSummary[]) {
  const champions = new Map(models.filter(({ state }) => state === "champion").map((m) => [m.asset_id, m]));
  return assets.map((asset) => {
    const champion = champions.get(asset.id);
    const challenger = models.find(
      (m) => m.asset_id === asset.id && m.state !== "champion" && (!champion || m.created_at >= champion.created_at),
    );
    return { asset, champion, challenger };
  });
}

/** False alarms: about one, 0.2 of one, three and a half. */
export function formatRate(count: number): string {
  const shown = count.toLocaleString("en-US", { maximumSignificantDigits: 2 });
  return shown === "1" ? "1 false alarm" : `${shown} false alarms`;
}

/** Where people's word has moved the threshold. */
export function movedWords(learned: number, now: number, labels: number): string {
  if (labels === 0) return "as learned; nobody has judged a finding of it yet";
  const answers = labels === 1 ? "1 answer" : `${formatCount(labels)} answers`;
  const way = now > learned ? "raised" : now < learned ? "lowered" : "left";
  return `${way} from ${formatValue(learned)} by ${answers} of people`;
}

/** What it has from its template; null where it learned from its machine alone. */
export function sharedWords({ shared }: Pick<Model["card"], "shared">): string | null {
  if (!shared) return null;
  const whose = `${shared.machines === 1 ? "1 machine" : `${formatCount(shared.machines)} machines`} of template ${words(shared.template)}`;
  return (
    `Its ${shared.detectors.map(words).join(" and ")} shares a network with the template: learned once from ${whose}, ` +
    `${formatCount(shared.rows)} rows, in ${formatDuration(shared.seconds)}. Its range, threshold and ways of running are its own.`
  );
}
