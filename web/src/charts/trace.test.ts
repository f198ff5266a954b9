import { describe, expect, it } from "vitest";
import { Trace } from "./trace";

describe("Trace", () => {
  it("opens a bad span at the first bad reading and closes it at the next good one", () => {
    const t = new Trace(16);
    t.append(1, 1);
    t.append(2, null);
    t.append(3, null);
    t.append(4, 4);
    t.append(5, 5);
    expect(t.bad).toEqual([[2, 4]]);
  });

  it("goes on with a bad span that was open when the window was loaded", () => {
    const t = new Trace(16);
    t.load({ time_ms: [1, 2], value: [1, null], bad: [[2, 2]] });
    t.append(3, null);
    t.append(4, 7);
    expect(t.bad).toEqual([[2, 4]]);
  });

  it("holds a bad span open until a good reading ends it", () => {
    const t = new Trace(16);
    t.append(1, 1);
    t.append(2, null);
    expect(t.spans(9)).toEqual([[2, 9]]);
    t.append(5, 5);
    expect(t.spans(9)).toEqual([[2, 5]]);
  });

  it("fills a gap without losing what came before and after", () => {
    const t = new Trace(16);
    t.load({ time_ms: [1, 2], value: [1, 2], bad: [] });
    t.append(9, 9);
    t.fill({ time_ms: [2, 3, 4], value: [2, 3, null], bad: [[4, 5]] });
    const { time, value } = t.buffer.view();
    expect([...time]).toEqual([1, 2, 3, 4, 9]);
    expect([...value]).toEqual([1, 2, 3, NaN, 9]);
    expect(t.bad).toEqual([[4, 5]]);
  });

  it("joins a fetched bad span to one it touches", () => {
    const t = new Trace(16);
    t.load({ time_ms: [1, 5], value: [1, null], bad: [[4, 5]] });
    t.fill({ time_ms: [5, 6], value: [null, null], bad: [[5, 8]] });
    expect(t.bad).toEqual([[4, 8]]);
  });
});
