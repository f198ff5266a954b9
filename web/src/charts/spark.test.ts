import { describe, expect, it } from "vitest";
import { sparkPath } from "./Sparkline";

const ys = (path: string): number[] => [...path.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map((m) => Number(m[1]));

describe("sparkPath", () => {
  it("draws noise low and a real change high", () => {
    const noise = ys(sparkPath([0, 1, 2], [100, 101, 100], 100, 30));
    expect(Math.max(...noise) - Math.min(...noise)).toBeLessThan(2);
    const change = ys(sparkPath([0, 1, 2], [1, 1, 2], 100, 30));
    expect(Math.max(...change) - Math.min(...change)).toBeGreaterThan(20);
  });

  it("breaks at bad data and draws nothing of one point", () => {
    expect(sparkPath([0, 1, 2, 3], [1, null, 1, 1], 30, 30).match(/M/g)).toHaveLength(2);
    expect(sparkPath([0], [1], 30, 30)).toBe("");
  });
});
