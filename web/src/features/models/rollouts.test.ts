import { describe, expect, test } from "vitest";
import type { Rollout } from "@/api/types";
import { backWords, beginWords, endMark, endWords, measuresOf, nextWords, seenWords, standsWords, stepsOf, waitingWords } from "./rollouts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const machine = (asset_id: string, acts = false, champion_id: string | null = "before") => ({ asset_id, model_id: "new", champion_id, acts });
const seen = (more: Partial<NonNullable<Rollout["challenger"]>>): NonNullable<Rollout["challenger"]> => ({
  hours: 48,
  rows: 7_200,
  opinions: 0.9,
  alarms: 1,
  alarms_per_week: 3.5,
  calls: 1_000,
  errors: 0,
  latency_ms: 2,
  ...more,
});

describe("the way of a rollout", () => {
  const places = (state: Rollout["state"], is_over = false): string => stepsOf({ state, is_over }).map(({ place }) => place).join(" ");

  test("is where it stands", () => {
    expect(places("candidate")).toBe("ahead ahead ahead ahead");
    expect(places("shadow")).toBe("here ahead ahead ahead");
    expect(places("champion")).toBe("done done here ahead");
    expect(places("champion", true)).toBe("done done done done");
  });

  test("who acts meanwhile is said", () => {
    expect(standsWords({ state: "canary", machines: [machine("a", true), machine("b")] })).toBe(
      "The new models act on 1 of 2 machines; on the others the champions do.",
    );
    expect(standsWords({ state: "canary", machines: [machine("a", true)] })).toBe("The new model acts, on trial: the champion scores beside.");
  });

  test("the next step waits for time, for rows, or for nothing", () => {
    const next = { state: "canary", at: "2026-11-22T14:00:00Z", progress: 0.5, rows: 1_200, least_rows: 3_600 } as const;
    expect(nextWords(next, NOW)).toMatch(/^To canary: not before \d\d:00:00, in 2 h; 1,200 of 3,600 rows\.$/);
    expect(nextWords({ ...next, at: null }, NOW)).toBe("To canary: as soon as enough is scored; 1,200 of 3,600 rows so far.");
    expect(nextWords({ ...next, rows: 4_000, at: "2026-11-22T11:59:00Z" }, NOW)).toBe("To canary: within a minute.");
    expect(nextWords({ ...next, state: "watched" }, NOW)).toMatch(/^The watch ends/);
  });
});

test("both sides stand beside the bound", () => {
  const bounds = { alarms_per_week: 1, latency_ms: 10, errors: 0.001, opinions: 0.45 };
  const [alarms, latency, errors, opinions] = measuresOf({ challenger: seen({ opinions: 0.2 }), champion: seen({ alarms_per_week: 0.5 }), bounds });
  expect(alarms).toMatchObject({ challenger: 3.5, champion: 0.5, bound: 1, beyond: true, boundWords: "at most 1.00" });
  const early = { ...bounds, alarms_per_week: 7 };
  expect(measuresOf({ challenger: seen({}), champion: null, bounds: early })[0]?.boundWords).toBe("at most 7.00, 2 by now");
  expect(latency).toMatchObject({ beyond: false, top: 12 });
  expect(errors).toMatchObject({ challenger: 0, beyond: false });
  expect(opinions).toMatchObject({ beyond: true, least: true, top: 1 });
  const nothing = measuresOf({ challenger: null, champion: null, bounds: null });
  expect(nothing.map(({ challenger, top, shown }) => [top > 0, shown(challenger)])).toEqual([1, 2, 3, 4].map(() => [true, "–"]));
  expect([seenWords(null), seenWords(seen({}))]).toEqual(["nothing yet", "7,200 rows in 48 machine-hours, 1 alarm"]);
  const spans = [0.004, 0.03, 1 / 60, 0.999, 1, 1.54].map((hours) => /in (.*),/.exec(seenWords(seen({ hours })))?.[1]);
  expect(spans).toEqual([
    "less than a machine-minute",
    "2 machine-minutes",
    "1 machine-minute",
    "1 machine-hour",
    "1 machine-hour",
    "1.5 machine-hours",
  ]);
});

test("what will happen is said before it does", () => {
  expect(beginWords(0, 0.1)).toBe("Choose at least one machine.");
  expect(beginWords(2, null)).toBe("Say on how many of them the new models act first.");
  expect(beginWords(1, 0.1)).toContain("the new model acts on it, on trial.");
  expect(beginWords(20, 0.1)).toContain("the new models act on 2 of 20 machines, later on all.");
  expect(beginWords(3, 1)).toContain("the new models act on 3 of 3 machines, on trial.");
  expect(backWords({ state: "shadow", machines: [machine("a")] })).toMatch(/^What acts now goes on acting/);
  expect(backWords({ state: "champion", machines: [machine("a", true), machine("b", true, null)] })).toMatch(
    /^On 2 machines the model before acts again. 1 of them then has no model/,
  );
});

test("how it ended, and what waits", () => {
  expect(endWords({ state: "rolled_back", reason: "alarm_rate" })).toBe("Rolled back: too many alarms");
  expect(endWords({ state: "champion", reason: null })).toBe("Took over");
  expect((["alarm_rate", "by_hand"] as const).map((reason) => endMark({ state: "rolled_back", reason }))).toEqual(["medium", "no_data"]);
  expect(waitingWords(0, [])).toBe("None is under way. No candidate waits. A machine's first model acts at once; later ones come here.");
  expect(waitingWords(1, [{ reason: "" }, { reason: "too loud" }])).toBe(
    "One is under way. Candidates of 1 machine wait. Usually the site begins their rollout by itself within a minute. Of 1 machine the candidate was set aside, for what its own card says.",
  );
});
