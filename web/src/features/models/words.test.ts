import { expect, test } from "vitest";
import type { Job, ModelSummary } from "@/api/types";
import { formatShare, jobWords, perMachine, shiftWords, trainedWords } from "./words";

const model = (asset_id: string, state: ModelSummary["state"], created_at: string) => ({ asset_id, state, created_at }) as ModelSummary;

test("figures as people say them", () => {
  expect(formatShare(0.00123)).toBe("0.12 %");
  expect(formatShare(undefined)).toBe("–");
  expect(trainedWords({ trained_hours: 3, rows: 9600 })).toBe("3.0 h, 9,600 rows");
  expect(trainedWords({ trained_hours: 336, rows: 17400 })).toBe("14.0 days, 17,400 rows");
  expect(shiftWords({})).toBe("none found");
  expect(shiftWords({ shift_median: 2 })).toBe("2 × spread");
});

test("a job says how far it is and what came of it", () => {
  const job = { state: "running", ended_at: null, done: 1, total: 3, items: [] } as unknown as Job;
  expect(jobWords(job)).toBe("Training 3 machines: 1 done.");
  const items = [{ state: "done" }, { state: "not_enough_data" }, { state: "failed" }];
  const ended = { ...job, state: "done", ended_at: "2026-01-01T00:00:00Z", items } as Job;
  expect(jobWords(ended)).toBe("Training of 3 machines is done: 1 had too little data, 1 failed.");
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
