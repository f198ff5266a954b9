import { describe, expect, it } from "vitest";
import {
  formatBytes, formatDuration, formatLimit, formatQuantity, formatTime, formatValue, prose, secondsSince, sentence,
  signalName, splitUnit, zoneName,
} from "./format";
import { parseRange, timeChoice } from "./time-range";

describe("format", () => {
  it("gives values about four figures", () => {
    expect([2950.4, 123.44, 58.444, 0.1234, 0.00312, 0, -7.5].map(formatValue)).toEqual([
      "2,950", "123.4", "58.44", "0.123", "0.0031", "0", "-7.50",
    ]);
    expect([null, undefined, NaN, Infinity].map(formatValue)).toEqual(["–", "–", "–", "–"]);
  });

  it("gives a quantity the decimals of its unit", () => {
    expect(formatQuantity(0.86, "mm/s")).toBe("0.86");
    expect(formatQuantity(43.029, "degC")).toBe("43.0");
    expect(formatQuantity(2813.6, "rpm")).toBe("2,814");
    expect(formatQuantity(-0.04, "bar")).toBe("-0.04");
    expect(formatQuantity(0.0031, "bar")).toBe("0.0031");
    expect(formatQuantity(1.2345, "furlong")).toBe("1.23");
    expect(formatQuantity(null, "bar")).toBe("–");
  });

  it("gives limits no digits that nobody chose", () => {
    expect([3.29936, 8.578335, 85, 1554, 0.95, 4.5].map(formatLimit)).toEqual(["3.299", "8.578", "85", "1,554", "0.95", "4.5"]);
  });

  it("writes names and units as people do", () => {
    expect(prose("over 75 degC: back to normal")).toBe("Over 75 °C: back to normal");
    expect(prose("all within limits")).toBe("All within limits");
    expect(prose("silent: no answer")).toBe("Silent: no answer");
  });

  it("leaves what is written as it is: addresses, settings, signals", () => {
    for (const text of ["http://h:8080 does not answer", "history.folder cannot be written", "p1.flow: no number", "plc_2 is lost", "10.0.0.5:502 is lost"])
      expect(prose(text)).toBe(text);
  });

  it("writes names as people do", () => {
    expect(["Vibration_mm_s", "Motor_RPM", "Bearing_Temperature_C", "suction_pressure", "iso_class"].map(signalName)).toEqual([
      "Vibration", "Motor speed", "Bearing temperature", "Suction pressure", "ISO class",
    ]);
    expect(["rated_power_kw", "max_seal_leakage_ml_h", "rated_flow_m3h", "mounting"].map(splitUnit)).toEqual([
      ["Rated power", "kW"], ["Max seal leakage", "mL/h"], ["Rated flow", "m³/h"], ["Mounting", ""],
    ]);
  });

  it("names the zone by its offset", () => {
    expect(zoneName()).toMatch(/^UTC([+-]\d{1,2}(:\d\d)?)?$/);
  });

  it("says durations as people do", () => {
    expect([0.42, 12, 119, 185, 7500, 7200, 90_000, 10 * 86_400].map(formatDuration)).toEqual([
      "0.4 s", "12 s", "119 s", "3 min", "2 h 5 min", "2 h", "1 d 1 h", "10 d",
    ]);
    expect(formatDuration(null)).toBe("–");
  });

  it("says sizes in decimal units", () => {
    expect([999, 1500, 71_000_000, 2e12].map(formatBytes)).toEqual(["999 B", "1.5 kB", "71.0 MB", "2.0 TB"]);
  });

  it("adds the date to a time that is not of today", () => {
    const now = new Date(2026, 10, 21, 12, 0, 0).getTime();
    expect(formatTime(now - 1000, now)).toBe("11:59:59");
    expect(formatTime(now - 3 * 86_400_000, now)).toMatch(/^18 Nov.* 12:00:00$/);
    expect(formatTime("nonsense", now)).toBe("–");
  });

  it("measures age and survives nonsense", () => {
    expect(secondsSince("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:05Z"))).toBe(5);
    expect(secondsSince("never")).toBeNull();
    expect(sentence("out_of_service")).toBe("Out of service");
  });
});

describe("time range", () => {
  it("reads ranges and refuses nonsense", () => {
    expect(["15m", "1h", "7d", "30s"].map(parseRange)).toEqual([900_000, 3_600_000, 604_800_000, 30_000]);
    expect(["", "0m", "1w", "h1", "9999d", "-5m"].map(parseRange)).toEqual([null, null, null, null, null, null]);
  });

  it("prefers a fixed window and falls back to the last hour", () => {
    expect(timeChoice({ from: 1, to: 2, range: "7d" })).toEqual({ kind: "fixed", from: 1, to: 2 });
    expect(timeChoice({ from: 2, to: 1, range: "6h" })).toEqual({ kind: "live", range: "6h", ms: 21_600_000 });
    expect(timeChoice({ range: "rubbish" })).toEqual({ kind: "live", range: "1h", ms: 3_600_000 });
  });
});
