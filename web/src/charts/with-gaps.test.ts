import { expect, test } from "vitest";
import { extentOf, runsOf, withGaps } from "./with-gaps";

test("a silence breaks every line, a step of the grid none", () => {
  expect(withGaps([0, 1_000, 9_000], [[1, 2, 3], [4, null, 6]], 2_000)).toEqual([
    [0, 1_000, 5_000, 9_000],
    [1, 2, null, 3],
    [4, null, null, 6],
  ]);
  expect(withGaps([], [[], []], 2_000)).toEqual([[], [], []]);
});

test("the extent passes over what has no value", () => {
  expect(extentOf([[3, null], [-1, 2]])).toEqual([-1, 3]);
  expect(extentOf([[null]])).toBeNull();
});

test("only where both are known there is something between them", () => {
  expect(runsOf([1, 2, null, 4, 5], [1, 2, 3, null, 5])).toEqual([[0, 1], [4, 4]]);
  expect(runsOf([], [])).toEqual([]);
});
