import { expect, test } from "vitest";
import { modelsWords, standingOf } from "./model-words";

const MACHINE = { asset_id: "p1", wanted: "aa", acting: "aa", refused: null, moved: false };
const MODELS = { told_at: "2026-01-01T00:00:00Z", up_to_date: true, thresholds: "", thresholds_wanted: "", keys: ["k"], trusts_site: true, machines: [MACHINE] };

test("how the model of one machine stands", () => {
  expect(standingOf(MACHINE, true)).toEqual({ mark: "normal", text: "Acts, with the threshold as learned." });
  expect(standingOf({ ...MACHINE, moved: true }, true).text).toContain("people moved");
  expect(standingOf({ ...MACHINE, acting: null }, true).text).toContain("does not have it yet");
  expect(standingOf({ ...MACHINE, acting: "bb" }, true).text).toContain("A newer one is on its way");
  expect(standingOf({ ...MACHINE, wanted: null }, true).text).toContain("should act here any more");
  expect(standingOf({ ...MACHINE, acting: null }, false).mark).toBe("no_data");
});

test("a refusal is told in words with the remedy, known or not", () => {
  expect(standingOf({ ...MACHINE, acting: null, refused: "unknown_key" }, true)).toEqual({
    mark: "alarm",
    text: "It is signed by a key that this gateway does not trust. Add the site's key to the gateway's file.",
  });
  const other = standingOf({ ...MACHINE, acting: "bb", refused: "of_tomorrow" }, true).text;
  expect(other).not.toContain("of_tomorrow");
  expect(other).toContain("The model before it still acts.");
});

test("all of them in a sentence", () => {
  expect(modelsWords(MODELS)).toBe("The gateway uses what the site wants of it.");
  expect(modelsWords({ ...MODELS, told_at: null })).toContain("has not told");
  expect(modelsWords({ ...MODELS, trusts_site: false })).toContain("add the site's key");
  expect(modelsWords({ ...MODELS, machines: [] })).toContain("No machine");
  expect(modelsWords({ ...MODELS, up_to_date: false, thresholds_wanted: "x" })).toContain("thresholds");
  expect(modelsWords({ ...MODELS, up_to_date: false })).toContain("not use all");
});
