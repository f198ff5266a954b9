import type { Anomaly } from "@/api/types";
import { formatCount, sentence, signalName } from "@/ui/format";

/** How each built-in detector found it; others go by their own name. */
const METHODS: Record<string, string> = {
  limits: "Limit check",
  rate_of_change: "Rate of change",
  flatline: "Flatline check",
  robust_z: "Compared with its own past (robust z)",
  edge: "Found at the edge",
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
