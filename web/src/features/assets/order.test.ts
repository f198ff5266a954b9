import { describe, expect, it } from "vitest";
import type { AssetSummary } from "@/api/types";
import { failureMode } from "./failure-modes";
import { commonPath, filterAssets } from "./order";

const asset = (name: string, path: string[], condition: AssetSummary["condition"] = "normal"): AssetSummary => ({
  id: name, name, path, template: "pump", status: "active", condition, reason: "", since: null, last_reading_at: null,
  active_alarms: 0, unacknowledged: 0, open_anomalies: 0, shelved: 0, running: true, headline: null,
});
const ALL = [
  asset("A", ["acme", "pune", "water", "line-1"], "no_data"),
  asset("B", ["acme", "pune", "utilities", "line-1"]),
  asset("C", ["acme", "nashik", "dye", "line-1"]),
];

describe("assets", () => {
  it("share the leading steps of their paths", () => {
    expect(commonPath(ALL)).toEqual(["acme"]);
    expect(commonPath(ALL.slice(0, 2))).toEqual(["acme", "pune"]);
    expect(commonPath(ALL.slice(0, 1))).toEqual(["acme", "pune", "water", "line-1"]);
    expect(commonPath([])).toEqual([]);
  });

  it("are found by condition as it is written on the page", () => {
    expect(filterAssets(ALL, "no data").map((a) => a.name)).toEqual(["A"]);
  });

  it("name failure modes; a code of one's own stays", () => {
    expect(["VIB", "X9"].map(failureMode)).toEqual(["vibration", "X9"]);
  });
});
