import type { Anomaly, Verdict } from "@/api/types";
import { formatCount, formatDuration, sentence, signalName } from "@/ui/format";

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

const nameOf = ({ sensor_id }: Anomaly): string => signalName(sensor_id.slice(sensor_id.lastIndexOf(".") + 1));

/** What it is about: a signal or, where its gateway is in trouble, what kind of. */
export function subjectOf(a: Anomaly): string {
  return a.detector === CONDITION ? sentence(a.anomaly_type) : nameOf(a);
}

export function howItWasFound(a: Anomaly): string {
  if (a.detector === CONDITION) return `Told by the gateway, of ${nameOf(a)}${a.count > 1 ? `, ${formatCount(a.count)} times` : ""}`;
  const method = METHODS[a.detector] ?? sentence(a.detector);
  return `${method}, score ${a.anomaly_score.toFixed(2)} of 1${a.count > 1 ? `, ${formatCount(a.count)} readings` : ""}`;
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
