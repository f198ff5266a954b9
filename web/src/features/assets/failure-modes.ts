/** Failure modes by their codes in ISO 14224:2016, annex B (the same list as docs/plant-file.md). */
const MODES: Record<string, string> = {
  AIR: "abnormal instrument reading",
  BRD: "breakdown",
  ELP: "external leakage of process medium",
  ELU: "external leakage of utility medium",
  ERO: "erratic output",
  FTF: "failure to function on demand",
  FTS: "failure to start",
  HIO: "high output",
  INL: "internal leakage",
  LOO: "low output",
  NOI: "noise",
  OHE: "overheating",
  OTH: "other",
  PDE: "parameter deviation",
  PLU: "plugged or choked",
  SER: "minor in-service problem",
  STD: "structural deficiency",
  STP: "failure to stop",
  UNK: "unknown",
  UST: "spurious stop",
  VIB: "vibration",
};

/** "VIB" -> "vibration"; a code of one's own stays as it is. */
export function failureMode(code: string): string {
  return MODES[code] ?? code;
}
