import type { Anomaly, AssetModel, Evidence, Verdict } from "@/api/types";
import { formatCount, formatDuration, formatValue, prose, sentence, signalName, units } from "@/ui/format";
import { modelTrouble } from "./model-words";

/** How each built-in detector found it; others go by their own name. */
const METHODS: Record<string, string> = {
  limits: "Limit check",
  rate_of_change: "Rate of change",
  flatline: "Flatline check",
  robust_z: "Compared with its own past (robust z)",
  edge: "Found at the edge",
  ensemble: "The machine's own model",
  vibration: "Vibration spectrum",
  model: "Told of the model itself",
};
/** A condition of the gateway that collects the signal: nothing that was measured. */
const CONDITION = "gateway";

const ENSEMBLE = "ensemble";

const nameOf = ({ sensor_id }: Pick<Anomaly, "sensor_id">): string => signalName(sensor_id.slice(sensor_id.lastIndexOf(".") + 1));

/** What it is about and what is said of it: a signal, trouble of its gateway, or trouble of its model. */
export function headline(a: Anomaly): { subject: string; rest: string } {
  const trouble = modelTrouble(a.detector, a.anomaly_type);
  if (trouble) return { subject: trouble.title, rest: prose(named(a.reason, a)) };
  if (a.detector === CONDITION) return { subject: sentence(a.anomaly_type), rest: prose(a.reason) };
  if (a.detector !== ENSEMBLE) return { subject: nameOf(a), rest: prose(a.reason) };
  return split(a);
}

/** A model names several signals; the sentence begins with the first of them. */
function split(a: Anomaly): { subject: string; rest: string } {
  const ids = [...(a.evidence?.contributions ?? []), a].map(({ sensor_id }) => sensor_id);
  const first = ids.map((id) => id.slice(id.lastIndexOf(".") + 1)).find((name) => a.reason.startsWith(`${name} `));
  if (first === undefined) return { subject: nameOf(a), rest: prose(named(a.reason, a)) };
  return { subject: signalName(first), rest: units(named(a.reason.slice(first.length + 1), a)) };
}

/** Signals of the finding by their names in words. */
export function named(text: string, a: Anomaly): string {
  const ids = [...(a.evidence?.contributions ?? []), a].map(({ sensor_id }) => sensor_id);
  const names = new Map(ids.map((id) => id.slice(id.lastIndexOf(".") + 1)).map((name) => [name, signalName(name)]));
  return text.replace(/[\p{L}\d]+(?:_[\p{L}\d]+)+/gu, (word) => names.get(word)?.replace(/^./, (c) => c.toLowerCase()) ?? word);
}

export function howItWasFound(a: Anomaly): string {
  if (a.detector === CONDITION) return `Told by the gateway, of ${nameOf(a)}${a.count > 1 ? `, ${formatCount(a.count)} times` : ""}`;
  const method = METHODS[a.detector] ?? sentence(a.detector);
  if (modelTrouble(a.detector, a.anomaly_type)) return method;
  const score = a.detector === ENSEMBLE ? "" : `, score ${a.anomaly_score.toFixed(2)} of 1`;
  return `${method}${score}${a.count > 1 ? `, ${formatCount(a.count)} readings` : ""}`;
}

type Episode = Pick<Anomaly, "detected_at" | "last_at" | "ended_at">;
const AROUND_MS = 5 * 60_000;

export function lasted(e: Episode): string {
  return formatDuration((Date.parse(e.ended_at ?? e.last_at) - Date.parse(e.detected_at)) / 1000);
}

/** Where to look at it on a chart, milliseconds. */
export function around(e: Episode): { from: number; to: number } {
  return { from: Date.parse(e.detected_at) - AROUND_MS, to: Date.parse(e.ended_at ?? e.last_at) + AROUND_MS };
}

const VERDICTS: Record<Verdict, string> = { confirmed: "Confirmed", partly: "Partly", wrong: "Wrong" };

/** What people made of it: what they said of it or, where nobody did, what became of it. */
export function whatPeopleSaid({ feedback, status, note }: Pick<Anomaly, "feedback" | "status" | "note">): string {
  const [said, more] = feedback ? [VERDICTS[feedback.verdict], feedback.note] : [sentence(status), note];
  return more ? `${said}: ${more}` : said;
}

/** How the machine's threshold answers what people said. */
export function thresholdAnswer(
  { learned, now, labels }: Pick<AssetModel["thresholds"][number], "learned" | "now" | "labels">,
  { ratio, threshold }: Pick<Evidence, "ratio" | "threshold">,
): string {
  const peak = ratio * threshold;
  const answers = labels === 1 ? "1 answer" : `${formatCount(labels)} answers`;
  if (labels === 0) return `The machine's threshold is ${formatValue(now)}, as learned; the answer reaches it within seconds.`;
  const way = now > learned ? "raised" : now < learned ? "lowered" : "left";
  const still = peak > now ? "A finding like this one would still be told." : "A finding like this one would no longer be told.";
  return `${answers} ${way} the machine's threshold from ${formatValue(learned)} to ${formatValue(now)}; this finding reached ${formatValue(peak)}. ${still}`;
}
