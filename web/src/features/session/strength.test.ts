import { describe, expect, it } from "vitest";
import { strengthOf } from "./strength";

const scoreOf = (password: string, name = "asha"): number => strengthOf(password, name).score;

describe("strengthOf", () => {
  it("counts what is missing to twelve characters", () => {
    expect(strengthOf("elevenchars", "").hint).toBe("1 more character.");
    expect(scoreOf("")).toBe(0);
  });
  it("calls weak what is guessed first, whatever its length", () => {
    expect([scoreOf("Asha-and-the-pump-house"), scoreOf("ababababababababababab"), scoreOf("my-qwerty-keyboard-is")]).toEqual([1, 1, 1]);
  });
  it("prefers length to signs", () => {
    expect([scoreOf("gravel7 moon"), scoreOf("gravel moon ladder teapot")]).toEqual([2, 3]);
  });
});
