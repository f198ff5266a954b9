import { describe, expect, it } from "vitest";
import type { SeriesAnswer } from "@/api/types";
import type { SeriesQuestion } from "@/api/series";
import { TraceFeed } from "./trace-feed";

const LIVE = { kind: "live", range: "15m", ms: 900_000 } as const;
const readings = (time: number, value: number | null) => ({
  offset: 1, signal: ["a", "other"], time_ms: [time, time], value: [value, 0], quality: [0, 0],
});
const answer = (time_ms: number[]): SeriesAnswer => ({
  start: "", end: "",
  series: [{ signal_id: "a", time_ms, value: time_ms.map((t) => t), bad: [], total: time_ms.length, downsampled: false }],
});

/** A feed whose fetches are answered by hand. */
function setUp() {
  const asked: { question: SeriesQuestion; reply: (a: SeriesAnswer) => void; refuse: (e: Error) => void }[] = [];
  const feed = new TraceFeed(["a"], 500, () => 1_000_000, () => undefined, (question) =>
    new Promise((reply, refuse) => asked.push({ question, reply, refuse })),
  );
  const times = (): number[] => [...(feed.traces.get("a")?.buffer.view().time ?? [])];
  return { feed, asked, times };
}

describe("TraceFeed", () => {
  it("holds live readings back until the window is loaded", async () => {
    const { feed, asked, times } = setUp();
    const loaded = feed.load(LIVE);
    feed.accept(readings(999_500, 5));
    expect(times()).toEqual([]);
    asked[0]?.reply(answer([998_000, 999_000]));
    await loaded;
    expect(times()).toEqual([998_000, 999_000, 999_500]);
  });

  it("fetches the gap since the last seen time before it lets live readings through again", async () => {
    const { feed, asked, times } = setUp();
    const loaded = feed.load(LIVE);
    asked[0]?.reply(answer([990_000]));
    await loaded;
    const filled = feed.fillGap();
    expect(asked[1]?.question.fromMs).toBe(990_000);
    feed.accept(readings(999_000, 1));
    expect(times()).toEqual([990_000]);
    asked[1]?.reply(answer([990_000, 993_000, 996_000]));
    await filled;
    expect(times()).toEqual([990_000, 993_000, 996_000, 999_000]);
  });

  it("keeps what it shows when a fetch fails, says so, and tries the whole window at the next gap", async () => {
    const { feed, asked, times } = setUp();
    const loaded = feed.load(LIVE);
    asked[0]?.refuse(new Error("down"));
    await loaded;
    expect(feed.status).toBe("error");
    feed.accept(readings(999_000, 1));
    expect(times()).toEqual([999_000]);
    const again = feed.fillGap();
    asked[1]?.reply(answer([998_000, 999_000]));
    await again;
    expect(feed.status).toBe("ready");
    expect(times()).toEqual([998_000, 999_000]);
  });

  it("ignores live readings in a fixed window, and a late answer to a superseded question", async () => {
    const { feed, asked, times } = setUp();
    const first = feed.load(LIVE);
    const second = feed.load({ kind: "fixed", from: 1, to: 9 });
    asked[1]?.reply(answer([3, 4]));
    await second;
    asked[0]?.reply(answer([999_000]));
    await first;
    feed.accept(readings(999_999, 1));
    expect(times()).toEqual([3, 4]);
  });
});
