import { expect, test } from "vitest";
import { overWords, scoreBars } from "./scores";

const SCORES = { regime: 0, rows: 100, threshold: 1.5, width: 0.5, share: [0.64, 0.35, 0, 0.01] };

test("every bin that holds anything has a bar that is seen", () => {
  const { bars, top } = scoreBars(SCORES, 1.5, 400, 100);
  expect(top).toBe(2);
  expect(bars.map(({ x, over }) => [x, over])).toEqual([[0, false], [100, false], [300, true]]);
  expect(bars[0]?.height).toBeCloseTo(96);
  expect(bars[2]?.height).toBeGreaterThan(2);
});

test("a threshold beyond all scores is on the picture", () => {
  expect(scoreBars(SCORES, 4, 400, 100).top).toBeCloseTo(4.2);
  expect(overWords(SCORES, 4)).toBe("None is clearly over the threshold.");
  expect(overWords(SCORES, 1.5)).toBe("1 % of them are clearly over the threshold.");
});
