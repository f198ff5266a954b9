import type { Action, Grant } from "@/api/types";
import { sentence } from "@/ui/format";

/** What each action lets one do, as the matrix of roles says it. */
const ACTIONS: Record<Action, string> = {
  "plant.read": "See machines, readings and alarms",
  "readings.export": "Export readings",
  "readings.write": "Send readings",
  "alarms.act": "Acknowledge and shelve alarms",
  "anomalies.judge": "Judge anomalies",
  "models.train": "Train models, say which one acts",
  "site.read": "See sources and the platform",
  "gateways.ask": "Ask gateways for raw readings, retire gateways",
  "simulation.run": "Run the simulated plant",
  "access.read": "See people, machines and sessions",
  "access.manage": "Change people and machines",
  "audit.read": "Read the audit log",
  "session.own": "Look after one's own account",
};

export const actionWords = (action: Action): string => ACTIONS[action];

export const placeWords = (path = ""): string => (path === "" ? "Everywhere" : path.replaceAll("/", " / "));

export const grantWords = ({ role, path = "" }: Grant): string => `${sentence(role)}, ${path === "" ? "everywhere" : path}`;

/** The command by which a machine takes its key; the token in it works once. */
export function enrolCommand(origin: string, token: string): string {
  return `curl -fsS ${origin}/api/v1/machines/enrol -H 'Content-Type: application/json' -d '{"token": "${token}"}'`;
}

const BROWSERS: [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrom(e|ium)\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Windows/, "Windows"],
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

/** "Firefox on Linux" from a User-Agent; a program's own name where it is no browser. */
export function agentWords(agent: string): string {
  const find = (table: [RegExp, string][]): string | undefined => table.find(([sign]) => sign.test(agent))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  if (browser) return system ? `${browser} on ${system}` : browser;
  return agent.split(/[\s/]/)[0] || "unknown program";
}
