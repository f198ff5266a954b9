import { expect, test } from "vitest";
import { driftScale, overQuantileWords } from "./drift";
import { stepLine } from "./threshold-steps";

test("signals are held against their own usual marks, farthest first", () => {
  const bars = driftScale([
    { signal_id: "p.flow", psi: 0.1, usual: 0.25 },
    { signal_id: "p.pressure", psi: 0.3, usual: 1.2 },
    { signal_id: "p.current", psi: 0.5, usual: 0.25 },
  ]);
  expect(bars.map(({ signal_id, times, beyond }) => [signal_id, times, beyond])).toEqual([
    ["p.current", 2, true],
    ["p.flow", 0.4, false],
    ["p.pressure", 0.25, false],
  ]);
  expect(new Set(bars.map(({ top }) => top)).size).toBe(1);
  expect(driftScale([{ signal_id: "p.flow", psi: 90, usual: 0.25 }])[0]?.top).toBe(4);
  expect(driftScale([])).toEqual([]);
});

test("a score that is high oftener than in health is told", () => {
  expect(overQuantileWords({ over: null, usual: null })).toBe("");
  expect(overQuantileWords({ over: 0.031, usual: 0.01 })).toBe(
    "Lately 3.1 % of the rows were over the healthy quantile of its score; in health 1 % were.",
  );
});

test("a threshold's steps are drawn over time where it moved more than once", () => {
  const step = (at: string, before: number, after: number) => ({ at, before, after });
  const first = step("2026-11-20T00:00:00Z", 1.5, 1.75);
  expect(stepLine([first], 100, 10)).toBeNull();
  expect(stepLine([step("2026-11-20T00:00:00Z", 1.5, 1.5), step("2026-11-21T00:00:00Z", 1.5, 1.5)], 100, 10)).toBeNull();
  expect(stepLine([first, step("2026-11-21T00:00:00Z", 1.75, 1.6)], 100, 10)).toBe("M0,9.0H8.3V1.0H91.7V5.8H100");
});
