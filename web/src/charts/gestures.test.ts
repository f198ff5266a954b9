import { describe, expect, it } from "vitest";
import { gestureWindow } from "./gestures";

const HOUR = { from: 0, to: 3600 };

describe("gestureWindow", () => {
  it("drags time with one finger", () => {
    expect(gestureWindow(HOUR, [0.5], [0.25])).toEqual({ from: 900, to: 4500 });
  });

  it("zooms in about the middle of two fingers that part", () => {
    const { from, to } = gestureWindow(HOUR, [0.4, 0.6], [0.3, 0.7]);
    expect(to - from).toBeCloseTo(1800);
    expect((from + to) / 2).toBeCloseTo(1800);
  });

  it("never inverts or collapses time when fingers meet", () => {
    const { from, to } = gestureWindow(HOUR, [0.2, 0.8], [0.5, 0.5]);
    expect(to).toBeGreaterThan(from);
  });
});
