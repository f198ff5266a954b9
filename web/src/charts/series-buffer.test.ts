import { describe, expect, it } from "vitest";
import { SeriesBuffer } from "./series-buffer";

const columns = (b: SeriesBuffer): [number[], number[]] => {
  const { time, value } = b.view();
  return [[...time], [...value]];
};

describe("SeriesBuffer", () => {
  it("keeps points in order and bad values as NaN", () => {
    const b = new SeriesBuffer(4);
    b.append(1, 10);
    b.append(2, null);
    b.append(3, 30);
    expect(columns(b)).toEqual([[1, 2, 3], [10, NaN, 30]]);
    expect(b.lastTime).toBe(3);
  });

  it("keeps at least the newest `capacity` points and never more than twice as many", () => {
    const b = new SeriesBuffer(5);
    for (let t = 1; t <= 103; t++) {
      b.append(t, t);
      expect(b.length).toBeGreaterThanOrEqual(Math.min(t, 5));
      expect(b.length).toBeLessThanOrEqual(10);
    }
    const [time, value] = columns(b);
    expect(time.slice(-5)).toEqual([99, 100, 101, 102, 103]);
    expect(value).toEqual(time);
  });

  it("puts a late point in its place and lets a repeated time win", () => {
    const b = new SeriesBuffer(8);
    b.load([1, 2, 4], [1, 2, 4]);
    b.append(3, 33);
    b.append(2, 22);
    expect(columns(b)).toEqual([[1, 2, 3, 4], [1, 22, 33, 4]]);
  });

  it("merges fetched points between what it knows", () => {
    const b = new SeriesBuffer(8);
    b.load([1, 2, 8, 9], [1, 2, 8, 9]);
    b.merge([2, 3, 5, 8], [20, 3, null, 80]);
    expect(columns(b)).toEqual([[1, 2, 3, 5, 8, 9], [1, 20, 3, NaN, 80, 9]]);
  });

  it("merges into an empty buffer and beyond its size", () => {
    const b = new SeriesBuffer(3);
    const time = Array.from({ length: 20 }, (_, i) => i);
    b.merge(time, time);
    expect(columns(b)[0].slice(-3)).toEqual([17, 18, 19]);
  });

  it("loads no more than the newest `capacity` points", () => {
    const b = new SeriesBuffer(2);
    b.load([1, 2, 3], [1, 2, null]);
    expect(columns(b)).toEqual([[2, 3], [2, NaN]]);
  });

  it("finds the extent of good values within a window", () => {
    const b = new SeriesBuffer(8);
    b.load([1, 2, 3, 4], [9, -2, null, 5]);
    expect(b.extent(2, 4)).toEqual([-2, 5]);
    expect(b.extent(3, 3)).toBeNull();
    expect(b.extent(10, 20)).toBeNull();
  });
});
