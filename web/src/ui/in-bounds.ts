/** What a NumberInput holds, where it is a number from `least` to `most`; null where it is none, or was emptied. */
export function inBounds(typed: string | number, least: number, most: number): number | null {
  const value = typed === "" ? NaN : Number(typed);
  return value >= least && value <= most ? value : null;
}
