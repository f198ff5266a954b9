import { describe, expect, it } from "vitest";
import type { Anomaly } from "@/api/types";
import { headline, howItWasFound, thresholdAnswer, whatPeopleSaid } from "./words";

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
    expect(headline(FOUND)).toEqual({ subject: "Bearing temperature", rest: "Far from usual" });
    expect(howItWasFound(FOUND)).toBe("Compared with its own past (robust z), score 0.70 of 1, 1,200 readings");
    expect(howItWasFound({ ...FOUND, detector: "my_own", count: 1 })).toBe("My own, score 0.70 of 1");
  });
  it("are about the gateway's trouble where nothing was measured", () => {
    const told = { ...FOUND, detector: "gateway", anomaly_type: "certificate_expired", value: null, count: 3 };
    expect(headline(told).subject).toBe("Certificate expired");
    expect(howItWasFound(told)).toBe("Told by the gateway, of Bearing temperature, 3 times");
    expect(howItWasFound({ ...told, count: 1 })).toBe("Told by the gateway, of Bearing temperature");
  });
  it("say what people made of one", () => {
    expect(whatPeopleSaid(FOUND)).toBe("Open");
    expect(whatPeopleSaid({ ...FOUND, status: "resolved", note: "new seal" })).toBe("Resolved: new seal");
    const feedback = { verdict: "wrong" as const, note: "a valve test", by: "ann", at: FOUND.detected_at };
    expect(whatPeopleSaid({ ...FOUND, status: "false_positive", note: "other", feedback })).toBe("Wrong: a valve test");
  });
  it("of a model begin with the first signal that it names, all by their names in words", () => {
    const part = { share: 0.5, measured: 1, expected: 2, unit: "bar" };
    const contributions = ["p1.suction_pressure", "p1.flow"].map((sensor_id) => ({ ...part, sensor_id }));
    const evidence = { contributions } as unknown as Anomaly["evidence"];
    const reason = "suction_pressure is 1 bar where 2 bar goes with the rest, bearing_temperature is 75 degC on plc_2";
    const found = { ...FOUND, detector: "ensemble", reason, evidence, count: 20 };
    expect(headline(found)).toEqual({
      subject: "Suction pressure",
      rest: "is 1 bar where 2 bar goes with the rest, bearing temperature is 75 °C on plc_2",
    });
    expect(howItWasFound(found)).toBe("The machine's own model, 20 readings");
  });
  it("of the model itself say what is wrong and never a raw kind", () => {
    const told = { ...FOUND, detector: "model", anomaly_type: "model_input_drift", value: null };
    expect(headline(told).subject).toBe("A signal has left what the model learned");
    expect(headline({ ...told, anomaly_type: "model_of_tomorrow" }).subject).toBe("Something is wrong with the machine's model");
    expect(howItWasFound(told)).toBe("Told of the model itself");
  });
});

describe("the threshold's answer", () => {
  const evidence = { ratio: 2, threshold: 1.5 };
  it("says where it went and whether such a finding would still come", () => {
    expect(thresholdAnswer({ learned: 1.5, now: 3.2, labels: 1 }, evidence)).toBe(
      "1 answer raised the machine's threshold from 1.50 to 3.20; this finding reached 3.00. A finding like this one would no longer be told.",
    );
    expect(thresholdAnswer({ learned: 1.5, now: 1.4, labels: 2 }, evidence)).toContain("2 answers lowered");
    expect(thresholdAnswer({ learned: 1.5, now: 1.5, labels: 0 }, evidence)).toContain("within seconds");
  });
});
