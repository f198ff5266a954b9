import { expect, test } from "vitest";
import { courseWords, gapOf, saidOf } from "./course";

const COURSE = { time_ms: [0, 30_000, 60_000, 400_000], step_ms: 1_000, ratio: [], signals: [], thinned: false };

test("rows told thinned are no silence", () => {
  expect(gapOf(COURSE)).toBe(90_000);
  expect(gapOf({ time_ms: [], step_ms: 1_000 })).toBe(3_000);
});

test("a picture has words", () => {
  expect(courseWords("Flow", COURSE, [1, null, 3], [null])).toMatch(/^Flow, from .* to .*: measured between 1.00 and 3.00, expected not known$/);
  expect(courseWords("Ratio", COURSE, [0.5, 2], 1)).toMatch(/: between 0.500 and 2.00$/);
});

test("the server's reason where there is one", () => {
  expect(saidOf(Object.assign(new Error("Conflict"), { detail: "the model is gone" }))).toBe("the model is gone");
  expect(saidOf(new Error("offline"))).toBe("offline");
});
