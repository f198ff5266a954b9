import type { Course } from "@/api/types";
import { extentOf } from "@/charts/with-gaps";
import { formatTime, formatValue, signalName } from "@/ui/format";

/** A signal's own name in words. */
export const nameOf = (signalId: string): string => signalName(signalId.slice(signalId.lastIndexOf(".") + 1));

/** The longest distance of two rows that is no silence: rows are told thinned where there are many. */
export function gapOf({ time_ms, step_ms }: Pick<Course, "time_ms" | "step_ms">): number {
  const steps = time_ms.slice(1).map((at, i) => at - (time_ms[i] as number));
  const usual = steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? step_ms;
  return 3 * Math.max(step_ms, usual);
}

/** A chart for who does not see it. */
export function courseWords(
  name: string,
  course: Course,
  line: readonly (number | null)[],
  against: readonly (number | null)[] | number,
): string {
  const span = `from ${formatTime(course.time_ms[0])} to ${formatTime(course.time_ms.at(-1))}`;
  if (typeof against === "number") return `${name}, ${span}: ${between(line)}`;
  return `${name}, ${span}: measured ${between(line)}, expected ${between(against)}`;
}

function between(column: readonly (number | null)[]): string {
  const found = extentOf([column]);
  return found ? `between ${formatValue(found[0])} and ${formatValue(found[1])}` : "not known";
}

/** What the server says of it. */
export function saidOf(error: Error): string {
  return "detail" in error && typeof error.detail === "string" ? error.detail : error.message;
}
