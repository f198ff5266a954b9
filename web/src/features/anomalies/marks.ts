import type { Anomaly } from "@/api/types";
import type { Mark } from "@/charts/overlays";

/** Anomalies as chart marks, by signal. An episode that lasts reaches to its last reading. */
export function marksBySignal(anomalies: readonly Anomaly[]): Map<string, Mark[]> {
  const marks = new Map<string, Mark[]>();
  for (const a of anomalies) {
    const mark: Mark = {
      id: a.id,
      fromMs: Date.parse(a.detected_at),
      toMs: Date.parse(a.ended_at ?? a.last_at),
      severity: a.severity,
      label: a.reason,
    };
    const known = marks.get(a.sensor_id);
    if (known) known.push(mark);
    else marks.set(a.sensor_id, [mark]);
  }
  return marks;
}
