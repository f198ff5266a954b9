import type { Grant } from "@/api/types";
import { formatTime } from "@/ui/format";
import { grantWords } from "./words";

export interface Difference {
  field: string;
  before?: string;
  after?: string;
}

type Part = Readonly<Record<string, unknown>>;

/** What changed, a line a field: a nested field by its path, of a list only what left it and what came. */
export function differences(before: Part | null, after: Part | null): Difference[] {
  const old = flat(before ?? {});
  const now = flat(after ?? {});
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((field) => lines(field, old.get(field), now.get(field)));
}

function flat(part: Part, prefix = ""): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(part)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      for (const [name, inner] of flat(value as Part, `${prefix}${key}.`)) found.set(name, inner);
    } else found.set(prefix + key, value);
  }
  return found;
}

function lines(field: string, old: unknown, now: unknown): Difference[] {
  if (Array.isArray(old) || Array.isArray(now)) {
    const left = words(old);
    const came = words(now);
    return [
      ...left.filter((item) => !came.includes(item)).map((item) => ({ field, before: item })),
      ...came.filter((item) => !left.includes(item)).map((item) => ({ field, after: item })),
    ];
  }
  if (old === undefined) return [{ field, after: word(now) }];
  if (now === undefined) return [{ field, before: word(old) }];
  return Object.is(old, now) ? [] : [{ field, before: word(old), after: word(now) }];
}

const words = (list: unknown): string[] => (Array.isArray(list) ? list.map(word) : list === undefined ? [] : [word(list)]);

/** One value as people read it: yes, none, "Technician, acme/pune". */
function word(value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(word).join(", ");
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(value)) return formatTime(value);
  if (typeof value !== "object") return String(value);
  if ("role" in value && "path" in value) return grantWords(value as Grant);
  return Object.entries(value)
    .map(([key, inner]) => `${key} ${word(inner)}`)
    .join(", ");
}
