import type { ReactNode } from "react";
import classes from "./ScrollBox.module.css";

/** What is wider than the page scrolls sideways in here, by keyboard too. */
export function ScrollBox({ label, minWidth, children }: { label: string; minWidth: number; children: ReactNode }) {
  return (
    // A scrolling region has to be reachable by keyboard (WCAG 2.1.1).
    <div className={classes.box} role="region" aria-label={label} tabIndex={0}>
      <div style={{ minWidth }}>{children}</div>
    </div>
  );
}
