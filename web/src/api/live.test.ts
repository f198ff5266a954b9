import type { EventSource } from "eventsource";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "./backoff";
import { LiveStream } from "./live";

class FakeSource {
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private readonly handlers = new Map<string, (e: { data: string }) => void>();
  constructor(readonly url: string) {}
  addEventListener(kind: string, handler: (e: { data: string }) => void): void {
    this.handlers.set(kind, handler);
  }
  close(): void {
    this.closed = true;
  }
  tell(kind: string, data: unknown): void {
    this.handlers.get(kind)?.({ data: JSON.stringify(data) });
  }
}

let opened: FakeSource[];
let stream: LiveStream;
let gaps: string[];

beforeEach(() => {
  vi.useFakeTimers();
  opened = [];
  gaps = [];
  stream = new LiveStream((url) => {
    const source = new FakeSource(url);
    opened.push(source);
    return source as unknown as EventSource;
  });
  stream.on("gap", ({ reason }) => gaps.push(reason));
  stream.want(["b", "a"]);
  stream.start();
  vi.advanceTimersByTime(1);
});
afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

describe("LiveStream", () => {
  it("asks for the wanted signals and hands readings on", () => {
    const seen: number[] = [];
    stream.on("readings", (r) => seen.push(r.offset));
    opened[0]?.onopen?.();
    opened[0]?.tell("readings", { offset: 7, signal: [], time_ms: [], value: [], quality: [] });
    expect(opened[0]?.url).toBe("/api/v1/live?signals=a%2Cb");
    expect(seen).toEqual([7]);
    expect([stream.status, gaps]).toEqual(["live", []]);
  });

  it("comes back after an error and tells the gap", () => {
    opened[0]?.onopen?.();
    opened[0]?.onerror?.();
    expect(stream.status).toBe("reconnecting");
    vi.advanceTimersByTime(1_000);
    expect(opened).toHaveLength(2);
    expect(gaps).toEqual([]);
    opened[1]?.onopen?.();
    expect([stream.status, gaps]).toEqual(["live", ["reconnected"]]);
  });

  it("tells a gap when the server dropped events", () => {
    opened[0]?.onopen?.();
    opened[0]?.tell("lost", { dropped: 3 });
    expect(gaps).toEqual(["lost"]);
  });

  it("opens anew after long silence", () => {
    opened[0]?.onopen?.();
    vi.advanceTimersByTime(30_000);
    expect(opened.length).toBeGreaterThan(1);
    expect(opened[0]?.closed).toBe(true);
  });

  it("is closed by stop and begins as if nothing had been", () => {
    opened[0]?.onopen?.();
    opened[0]?.tell("readings", { offset: 7, signal: [], time_ms: [], value: [], quality: [] });
    stream.stop();
    vi.advanceTimersByTime(60_000);
    expect([opened.length, opened[0]?.closed, stream.status, stream.lastReadingsAt]).toEqual([1, true, "connecting", null]);
    stream.start();
    vi.advanceTimersByTime(1);
    opened[1]?.onopen?.();
    expect([stream.status, gaps]).toEqual(["live", []]);
  });

  it("opens anew when other signals are wanted, and tells the gap this leaves", () => {
    opened[0]?.onopen?.();
    stream.want(["c"]);
    vi.advanceTimersByTime(200);
    opened[1]?.onopen?.();
    expect(opened[1]?.url).toBe("/api/v1/live?signals=a%2Cb%2Cc");
    expect(gaps).toEqual(["reconnected"]);
  });
});

describe("backoffMs", () => {
  it("doubles to ten seconds and spreads by a quarter either way", () => {
    expect([0, 1, 2, 50].map((n) => backoffMs(n, 0.5))).toEqual([500, 1000, 2000, 10_000]);
    expect([backoffMs(0, 0), backoffMs(0, 1)]).toEqual([375, 625]);
  });
});
