import { describe, expect, it } from "vitest";
import { differences } from "./difference";

describe("differences", () => {
  it("tells what was set, changed and taken away, and leaves out what stayed", () => {
    expect(differences({ disabled: false, name: "asha", note: "old" }, { disabled: true, name: "asha", email: "" })).toEqual([
      { field: "disabled", before: "no", after: "yes" },
      { field: "note", before: "old" },
      { field: "email", after: "none" },
    ]);
  });
  it("names nested fields by their path", () => {
    expect(differences({ limits: { high: 4 } }, { limits: { high: 5 } })).toEqual([{ field: "limits.high", before: "4", after: "5" }]);
  });
  it("tells of a list what left and what came", () => {
    const kept = { role: "technician", path: "acme" };
    expect(differences({ grants: [kept] }, { grants: [kept, { role: "admin", path: "" }] })).toEqual([
      { field: "grants", after: "Admin, everywhere" },
    ]);
    expect(differences({ grants: [kept] }, { grants: [] })).toEqual([{ field: "grants", before: "Technician, acme" }]);
  });
  it("takes a thing that is new or gone as a whole", () => {
    expect(differences(null, { name: "gw1" })).toEqual([{ field: "name", after: "gw1" }]);
    expect(differences(null, null)).toEqual([]);
  });
});
