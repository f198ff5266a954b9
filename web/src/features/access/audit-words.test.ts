import { describe, expect, it } from "vitest";
import { fieldOf, timeOf } from "./audit-words";

describe("times of the audit filter", () => {
  it("come back as they went in, in any zone", () => {
    expect(timeOf(fieldOf("2026-11-21T18:35:00.000Z"))).toBe("2026-11-21T18:35:00.000Z");
  });
  it("are empty for what is no time", () => {
    expect([fieldOf(undefined), fieldOf("yesterday"), timeOf("")]).toEqual(["", "", undefined]);
  });
});
