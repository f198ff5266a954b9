import { expect, test } from "vitest";
import { inBounds } from "./in-bounds";

test("an emptied field, words and what is out of bounds are no number", () => {
  expect(["", "-", 0, 101].map((typed) => inBounds(typed, 1, 100))).toEqual([null, null, null, null]);
  expect([1, "12.5", 100].map((typed) => inBounds(typed, 1, 100))).toEqual([1, 12.5, 100]);
});
