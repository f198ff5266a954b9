interface Step {
  at: string;
  before: number;
  after: number;
}

/** Room at both ends, as a share of the time between the first step and the last. */
const ROOM = 0.1;

/** The path of a step line over time; null for less than two steps, or where nothing moved. */
export function stepLine(steps: readonly Step[], width: number, height: number): string | null {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || first === last) return null;
  const levels = steps.flatMap(({ before, after }) => [before, after]);
  const [low, high] = [Math.min(...levels), Math.max(...levels)];
  if (low === high) return null;
  const [start, end] = [Date.parse(first.at), Date.parse(last.at)];
  const room = (end - start) * ROOM || 1;
  const x = (ms: number): string => (((ms - start + room) / (end - start + 2 * room)) * width).toFixed(1);
  const y = (level: number): string => (height * (0.9 - (0.8 * (level - low)) / (high - low))).toFixed(1);
  const turns = steps.map(({ at, after }) => `H${x(Date.parse(at))}V${y(after)}`);
  return `M0,${y(first.before)}${turns.join("")}H${String(width)}`;
}
