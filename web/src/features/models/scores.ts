import type { Scores } from "@/api/types";
import { formatShare } from "./words";

interface Bar {
  x: number;
  width: number;
  height: number;
  /** All of it is over the threshold. */
  over: boolean;
}

/** A bar that holds anything is seen. */
const LEAST_PX = 2;

/** Bars of a histogram over 0..top; heights by the root of the share, so that the few highest scores are seen too. */
export function scoreBars({ width: bin, share }: Scores, now: number, width: number, height: number): { bars: Bar[]; top: number } {
  const top = Math.max(bin * share.length, now * 1.05);
  const most = Math.sqrt(Math.max(...share, 1e-9));
  const bars = share.flatMap((part, i): Bar[] => {
    if (part <= 0) return [];
    const x = ((i * bin) / top) * width;
    return [{ x, width: (bin / top) * width * 0.9, height: Math.max(LEAST_PX, (Math.sqrt(part) / most) * height * 0.96), over: i * bin >= now }];
  });
  return { bars, top };
}

/** How many healthy rows are over it; a bin that the threshold cuts counts as below. */
export function overWords({ width, share }: Pick<Scores, "width" | "share">, now: number): string {
  const over = share.reduce((sum, part, i) => sum + (i * width >= now ? part : 0), 0);
  return over > 0 ? `${formatShare(over)} of them are clearly over the threshold.` : "None is clearly over the threshold.";
}
