import { expect, test } from "vitest";
import type { Job, ModelSummary } from "@/api/types";
import { formatRate, formatShare, jobPercent, jobWords, movedWords, namedIn, nextTrainingWords, perMachine, sharedWords, shiftWords, trainedWords } from "./words";

const model = (asset_id: string, state: ModelSummary["state"], created_at: string) => ({ asset_id, state, created_at }) as ModelSummary;

test("figures as people say them", () => {
  expect(formatShare(0.00123)).toBe("0.12 %");
  expect(formatShare(undefined)).toBe("–");
  expect(trainedWords({ trained_hours: 3, rows: 9600 })).toBe("3.0 h, 9,600 rows");
  expect(trainedWords({ trained_hours: 336, rows: 17400 })).toBe("14.0 days, 17,400 rows");
  expect(shiftWords({})).toBe("none found");
  expect(shiftWords({ shift_median: 2 })).toBe("2 × its usual spread");
});

test("a job says how far it is and what came of it", () => {
  const job = { state: "running", ended_at: null, done: 1, total: 3, items: [] } as unknown as Job;
  expect(jobWords(job)).toBe("Training 3 machines: 1 done.");
  expect(jobWords({ ...job, phase: "centrifugal_pump: networks, 2 of 4" })).toBe("Training 3 machines: centrifugal pump: networks, 2 of 4.");
  expect(jobWords({ ...job, why: "a week old" })).toBe("Training 3 machines: 1 done. The site asked for it by itself: a week old.");
  const items = [{ state: "done" }, { state: "not_enough_data" }, { state: "failed" }];
  const ended = { ...job, state: "done", ended_at: "2026-01-01T00:00:00Z", items } as Job;
  expect(jobWords(ended)).toBe("Training of 3 machines is done: 1 had too little data, 1 failed.");
});

test("the next training says when and why", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  const why = "its model has not seen a whole day";
  expect(nextTrainingWords({ at: "2026-11-25T12:00:00Z", why }, now)).toMatch(/^Next training by itself: 25 Nov, .*\. Its model has not seen a whole day\.$/);
  expect(nextTrainingWords({ at: "2026-11-22T11:59:59Z", why }, now)).toContain(": at once. Its");
  expect(nextTrainingWords({ at: null, why: "it is in a rollout: after that has ended" }, now)).toBe(
    "Next training by itself: no time is set. It is in a rollout: after that has ended.",
  );
});

test("a job whose machines people took over is no part done", () => {
  expect(jobPercent({ done: 1, total: 4 })).toBe(25);
  expect(jobPercent({ done: 0, total: 0 })).toBe(0);
});

test("every machine once, with what acts on it and what is newer", () => {
  const found = perMachine(
    [{ id: "a" }, { id: "b" }, { id: "c" }],
    [model("a", "candidate", "2026-03"), model("a", "champion", "2026-02"), model("a", "candidate", "2026-01"), model("b", "candidate", "2026-01")],
  );
  expect(found.map(({ champion, challenger }) => [champion?.created_at, challenger?.created_at])).toEqual([
    ["2026-02", "2026-03"],
    [undefined, "2026-01"],
    [undefined, undefined],
  ]);
});

test("a threshold says who moved it, and what that costs", () => {
  expect(movedWords(1.5, 1.5, 0)).toContain("nobody has judged");
  expect(movedWords(1.5, 1.7, 1)).toBe("raised from 1.50 by 1 answer of people");
  expect(movedWords(1.5, 1.4, 2)).toBe("lowered from 1.50 by 2 answers of people");
  expect([formatRate(0.9999999), formatRate(0.217), formatRate(3.4999)]).toEqual(["1 false alarm", "0.22 false alarms", "3.5 false alarms"]);
});

test("what a model has from its template is told", () => {
  expect(sharedWords({ shared: null })).toBeNull();
  const shared = { template: "centrifugal_pump", detectors: ["lstm_autoencoder"], machines: 5, spans: 12, rows: 21_000, seconds: 130 };
  expect(sharedWords({ shared })).toContain("from 5 machines of template centrifugal pump, 21,000 rows, in 2 min");
});

test("signals are called by their names", () => {
  const note = "No lasting shift of p-1.motor_speed, p-1.flow alone is found in nine of ten rows of p-1.flow.";
  expect(namedIn(note, ["p-1.motor_speed", "p-1.flow"])).toBe("No lasting shift of motor speed, flow alone is found in nine of ten rows of flow.");
});
