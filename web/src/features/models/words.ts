import type { Job, JobItem, Model, ModelSummary } from "@/api/types";
import { formatCount, formatDuration, sentence } from "@/ui/format";

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
  return median === undefined ? "none found" : `${median} × spread`;
}

export function shiftOf(shift: number | null | undefined): string {
  return shift === null || shift === undefined ? "not found" : `${shift} ×`;
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
    ...card.notes,
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

/** How a job of training stands. */
export function jobWords(job: Job): string {
  const machines = job.total === 1 ? "1 machine" : `${formatCount(job.total)} machines`;
  if (job.state === "cancelled") return `Training of ${machines} was cancelled after ${job.done}.`;
  if (job.ended_at === null) return `Training ${machines}: ${job.done} done.`;
  const few = job.items.filter(({ state }) => state === "not_enough_data").length;
  const failed = job.items.filter(({ state }) => state === "failed").length;
  const rest = [few ? `${few} had too little data` : "", failed ? `${failed} failed` : ""].filter(Boolean);
  return `Training of ${machines} is done${rest.length ? `: ${rest.join(", ")}` : ""}.`;
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
