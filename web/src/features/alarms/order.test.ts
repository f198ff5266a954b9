import { describe, expect, it } from "vitest";
import type { Alarm } from "@/api/types";
import { bannerNews, filterAlarms, groupByPriority } from "./order";
import { backActions } from "./undo";

const alarm = (id: string, priority: Alarm["priority"], state: Alarm["state"], minute: number): Alarm => ({
  id, asset_id: "p1", asset_name: "Pump 1", rule_id: id, signal_id: "p1.x", title: id, priority, state, active: true,
  latched: false, condition: "above", threshold: 1, value: 2, unit: "bar",
  raised_at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(), returned_at: null, acknowledged_at: null,
  acknowledged_by: null, shelved_until: null, shelved_by: null, occurrences: 1, cause: "", consequence: "", action: "",
  response_minutes: 10,
});
const ALL = [
  alarm("old high", "high", "unacknowledged", 1),
  alarm("new high", "high", "unacknowledged", 5),
  alarm("seen critical", "critical", "acknowledged", 3),
  alarm("set aside", "critical", "shelved", 4),
  alarm("off", "low", "out_of_service", 2),
  alarm("gone", "medium", "returned", 9),
];

describe("alarm order", () => {
  it("groups by priority, what waits first, then newest", () => {
    const groups = groupByPriority(filterAlarms(ALL, {}));
    expect(groups.map((g) => [g.priority, g.alarms.map((a) => a.id)])).toEqual([
      ["critical", ["seen critical"]],
      ["high", ["new high", "old high"]],
      ["medium", ["gone"]],
    ]);
  });

  it("filters by state, priority and machine", () => {
    expect(filterAlarms(ALL, { state: "shelved" }).map((a) => a.id)).toEqual(["set aside"]);
    expect(filterAlarms(ALL, { priority: "high", asset: "pump" })).toHaveLength(2);
    expect(filterAlarms(ALL, { asset: "fan" })).toEqual([]);
  });

  it("tells the banner the most urgent unacknowledged alarm, the count and the newest", () => {
    const news = bannerNews(ALL);
    expect([news?.top.id, news?.newest.id, news?.count]).toEqual(["new high", "gone", 3]);
    expect(bannerNews([])).toBeNull();
  });

  it("brings each set-aside alarm back by its own action", () => {
    expect(backActions(ALL)).toEqual([
      { action: "unshelve", ids: ["set aside"] },
      { action: "in_service", ids: ["off"] },
    ]);
  });
});
