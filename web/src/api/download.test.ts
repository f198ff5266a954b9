import { describe, expect, it } from "vitest";
import { fileName } from "./download";

describe("fileName", () => {
  it("is what the server calls the file", () => {
    expect(fileName('attachment; filename="readings.parquet"')).toBe("readings.parquet");
    expect(fileName("attachment; filename=audit.ndjson; size=3")).toBe("audit.ndjson");
  });
  it("is nobody's guess where the server says nothing", () => {
    expect([fileName(null), fileName("inline")]).toEqual([null, null]);
  });
});
