import { describe, expect, it } from "vitest";
import type { GatewayBuffer, GatewayLedger } from "@/api/types";
import {
  backlogWords,
  bufferShare,
  bufferWords,
  clockWords,
  conditionMark,
  delayWords,
  ledgerWords,
  noDeviceWords,
  silentWords,
  stateMark,
  stateWord,
  unexplained,
} from "./words";

const LEDGER: GatewayLedger = {
  read: 1000,
  kept: 300,
  thinned: 690,
  in_hand: 10,
  acknowledged: 250,
  pending: 30,
  refused: 5,
  left_to_partner: 10,
  thinned_early: 5,
  rejected: 3,
  duplicate: 2,
  adds_up: true,
};
const BUFFER: GatewayBuffer = {
  budget_bytes: 1_000,
  raw_bytes: 300,
  outbox_bytes: 200,
  free_disk_bytes: 9_000,
  raw_from: null,
  full_in_s: 7_200,
};

describe("ledger", () => {
  it("adds up when every reading is accounted for", () => {
    expect(unexplained(LEDGER)).toBe(0);
    expect(ledgerWords(LEDGER)[1]).toContain("nothing is missing");
  });
  it("counts what either sum leaves open", () => {
    expect(unexplained({ ...LEDGER, read: 1_004 })).toBe(4);
    expect(unexplained({ ...LEDGER, acknowledged: 249 })).toBe(1);
    expect(ledgerWords({ ...LEDGER, acknowledged: 249 })[1]).toContain("1 readings are unexplained");
  });
});

describe("words", () => {
  it("tells how long a backlog lasts", () => {
    expect(backlogWords(null, null)).toBe("–");
    expect(backlogWords(0, null)).toBe("none");
    expect(backlogWords(5_000, 600)).toBe("5,000 readings, about 10 min left");
    expect(backlogWords(5_000, null)).toContain("not shrinking");
  });
  it("tells how full a buffer is", () => {
    expect(bufferShare(BUFFER)).toBe(0.5);
    expect(bufferShare({ ...BUFFER, budget_bytes: 0 })).toBe(0);
    expect(bufferShare({ ...BUFFER, raw_bytes: 5_000 })).toBe(1);
    expect(bufferWords(BUFFER)).toBe("500 B of 1.0 kB, lasts 2 h without the site");
    expect(bufferWords({ ...BUFFER, full_in_s: null })).toContain("not filling up");
  });
  it("tells which way a clock is off", () => {
    expect(clockWords(null, null)).toBe("not measured yet");
    expect(clockWords(0.4, 1)).toBe("same as the site's");
    expect(clockWords(3_600, 0.1)).toBe("1 h behind the site's");
    expect(clockWords(-12, 0.1)).toBe("12 s ahead of the site's");
    expect(delayWords(-3_600)).toBe("clock 1 h ahead");
    expect(delayWords(0.25)).toBe("0.3 s");
    expect(delayWords(null)).toBe("–");
  });
  it("calls one that waits for its disk by that name", () => {
    expect(stateWord("waiting_for_disk")).toBe("Waits for its disk");
    expect(stateMark("waiting_for_disk")).toBe("alarm");
    expect(noDeviceWords("waiting_for_disk")[0]).toBe("Nothing is collected");
    expect(noDeviceWords("waiting")[1]).toContain("first heartbeat");
    expect(noDeviceWords("connected")[1]).not.toContain("heartbeat");
  });
  it("tells how many signals are heard", () => {
    expect(silentWords({ signals: 3, silent: 0 })).toBe("all are heard");
    expect(silentWords({ signals: 3, silent: 1 })).toBe("1 of them silent");
    expect(silentWords({ signals: 3, silent: 3 })).toBe("none of them is heard");
  });
  it("knows what is grave", () => {
    expect(conditionMark("disk_full")).toBe("alarm");
    expect(conditionMark("unreachable")).toBe("medium");
    expect(conditionMark("failed_over")).toBe("advisory");
  });
});
