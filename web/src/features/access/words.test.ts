import { describe, expect, it } from "vitest";
import { agentWords, enrolCommand } from "./words";

describe("agentWords", () => {
  it("names browser and system", () => {
    const edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";
    expect(agentWords(edge)).toBe("Edge on Windows");
    expect(agentWords("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe("Firefox on Linux");
  });
  it("names a program by its own name", () => {
    expect([agentWords("python-httpx/0.28"), agentWords("")]).toEqual(["python-httpx", "unknown program"]);
  });
});

describe("enrolCommand", () => {
  it("is one line that a shell takes as it stands", () => {
    expect(enrolCommand("https://site:8080", "ab-1")).toBe(
      `curl -fsS https://site:8080/api/v1/machines/enrol -H 'Content-Type: application/json' -d '{"token": "ab-1"}'`,
    );
  });
});
