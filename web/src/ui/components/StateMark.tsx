import type { ReactNode } from "react";
import classes from "./StateMark.module.css";

type Tone = "critical" | "high" | "medium" | "advisory" | "stale" | "quiet";
interface Look {
  word: string;
  tone: Tone;
  shape: ReactNode;
}

const OCTAGON = <path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" fill="currentColor" />;
const TRIANGLE = <path d="M8 1.2 15.4 14.6H.6z" fill="currentColor" />;
const DIAMOND = <path d="M8 .8 15.2 8 8 15.2.8 8z" fill="currentColor" />;
const CIRCLE = <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="2" />;
const DISC = (
  <>
    <circle cx="8" cy="8" r="7" fill="currentColor" />
    <path d="M8 7.2v4.2M8 4.6v.1" stroke="var(--surface)" strokeWidth="2" strokeLinecap="round" />
  </>
);
const CLOCK = (
  <>
    <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.8" strokeDasharray="3 1.9" />
    <path d="M8 4.6V8l2.4 1.6" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
  </>
);
const DOTTED = (
  <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="2" strokeDasharray="1.2 3.5" strokeLinecap="round" />
);
const DASH = <path d="M3 8h10" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />;
const TICK = (
  <path d="m3 8.5 3.4 3.4L13 5" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
);

/** Every state has a shape and a word; the colour only helps. */
const LOOKS: Record<string, Look> = {
  critical: { word: "Critical", tone: "critical", shape: OCTAGON },
  alarm: { word: "Alarm", tone: "high", shape: TRIANGLE },
  high: { word: "High", tone: "high", shape: TRIANGLE },
  medium: { word: "Medium", tone: "medium", shape: DIAMOND },
  low: { word: "Low", tone: "advisory", shape: CIRCLE },
  advisory: { word: "Advisory", tone: "advisory", shape: DISC },
  stale: { word: "Stale", tone: "stale", shape: CLOCK },
  baselining: { word: "Baselining", tone: "quiet", shape: DOTTED },
  normal: { word: "Normal", tone: "quiet", shape: TICK },
  no_data: { word: "No data", tone: "quiet", shape: DASH },
};
const UNKNOWN: Look = { word: "Unknown", tone: "quiet", shape: DASH };

interface StateMarkProps {
  name: string;
  /** Only a screen reader hears the word. */
  compact?: boolean;
  strong?: boolean;
  /** In place of the word that belongs to the shape; "" where the words beside it say it all. */
  word?: string;
}

/** A condition, priority or severity as shape and word. */
export function StateMark({ name, compact = false, strong = false, word: own }: StateMarkProps) {
  const { tone, shape, ...look } = LOOKS[name] ?? UNKNOWN;
  const word = own ?? look.word;
  return (
    <span className={`${classes.mark} c-${tone}`} data-state={name} data-strong={strong || undefined}>
      <svg width={15} height={15} viewBox="0 0 16 16" aria-hidden="true">
        {shape}
      </svg>
      {word ? <span className={compact ? "sr-only" : undefined}>{word}</span> : null}
    </span>
  );
}

export function toneOf(name: string): Tone {
  return (LOOKS[name] ?? UNKNOWN).tone;
}
