import { describe, expect, it } from "vitest";
import type { Anomaly } from "@/api/types";
import { howItWasFound, subjectOf, whatPeopleSaid } from "./words";

const FOUND: Anomaly = {
  id: "1",
  sensor_id: "p1.bearing_temperature",
  asset_id: "p1",
  detected_at: "2026-01-01T00:00:00Z",
  last_at: "2026-01-01T00:01:00Z",
  ended_at: null,
  anomaly_type: "statistical",
  severity: "medium",
  anomaly_score: 0.7,
  value: 80,
  expected_value: 60,
  deviation: 20,
  reason: "far from usual",
  detector: "robust_z",
  detected_by: "rule",
  count: 1_200,
  status: "open",
  note: "",
  resolved_at: null,
  evidence: null,
  feedback: null,
};

describe("findings in words", () => {
  it("are about the signal that was measured", () => {
    expect(subjectOf(FOUND)).toBe("Bearing temperature");
    expect(howItWasFound(FOUND)).toBe("Compared with its own past (robust z), score 0.70 of 1, 1,200 readings");
    expect(howItWasFound({ ...FOUND, detector: "my_own", count: 1 })).toBe("My own, score 0.70 of 1");
  });
  it("are about the gateway's trouble where nothing was measured", () => {
    const told = { ...FOUND, detector: "gateway", anomaly_type: "certificate_expired", value: null, count: 3 };
    expect(subjectOf(told)).toBe("Certificate expired");
    expect(howItWasFound(told)).toBe("Told by the gateway, of Bearing temperature, 3 times");
    expect(howItWasFound({ ...told, count: 1 })).toBe("Told by the gateway, of Bearing temperature");
  });
  it("say what people made of one", () => {
    expect(whatPeopleSaid(FOUND)).toBe("Open");
    expect(whatPeopleSaid({ ...FOUND, status: "resolved", note: "new seal" })).toBe("Resolved: new seal");
    const feedback = { verdict: "wrong" as const, note: "a valve test", by: "ann", at: FOUND.detected_at };
    expect(whatPeopleSaid({ ...FOUND, status: "false_positive", note: "other", feedback })).toBe("Wrong: a valve test");
  });
});
