import { describe, expect, it } from "vitest";
import { spread } from "./overlays";
import { tickLabels, valueLabel } from "./time-axis";
import { yRange } from "./y-range";

const NONE = { low_critical: null, low: null, high: null, high_critical: null };

describe("yRange", () => {
  it("holds the data with room around it", () => {
    const [min, max] = yRange([1, 3], NONE);
    expect(min).toBeLessThan(1);
    expect(max).toBeGreaterThan(3);
  });

  it("stretches to a near limit but not to one that would flatten the data", () => {
    expect(yRange([1, 3], { ...NONE, high: 5 })[1]).toBeGreaterThan(5);
    expect(yRange([1, 3], { ...NONE, high: 500 })[1]).toBeLessThan(10);
  });

  it("gives a flat line a range of its own size", () => {
    const [min, max] = yRange([2950, 2950], NONE);
    expect(max - min).toBeGreaterThan(10);
  });

  it("stays where it is while the data fits, and moves when it does not", () => {
    const first = yRange([1, 3], NONE);
    expect(yRange([1.1, 3], NONE, first)).toBe(first);
    expect(yRange([1, 9], NONE, first)[1]).toBeGreaterThan(9);
  });

  it("keeps the old range when there is no data", () => {
    expect(yRange(null, NONE, [2, 4])).toEqual([2, 4]);
  });
});

describe("spread", () => {
  it("keeps names apart and inside the plot", () => {
    expect(spread([0, 2, 50], 12, 0, 100)).toEqual([0, 12, 50]);
    expect(spread([95, 99], 12, 0, 100)).toEqual([88, 100]);
    expect(spread([], 12, 0, 100)).toEqual([]);
  });
});

describe("axis labels", () => {
  it("are as fine as the ticks", () => {
    const noon = new Date(2026, 0, 5, 12, 0, 30).getTime();
    expect(tickLabels([noon], 30_000)).toEqual(["12:00:30"]);
    expect(tickLabels([noon], 300_000)).toEqual(["12:00"]);
    expect(tickLabels([noon], 86_400_000)).toEqual(["5 Jan"]);
    expect(tickLabels([new Date(2026, 0, 5).getTime()], 3_600_000)).toEqual(["5 Jan"]);
  });

  it("show the decimals that tell ticks apart", () => {
    expect(valueLabel(2.5, 0.5)).toBe("2.5");
    expect(valueLabel(40, 20)).toBe("40");
    expect(valueLabel(0.0125, 0.0025)).toBe("0.013");
  });
});
