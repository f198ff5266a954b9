import type { ReactNode } from "react";
import classes from "./Session.module.css";

/** Said aloud when it appears; what changes every second belongs into `quiet`. */
export function Notice({ title, children, quiet, tone }: { title: string; children?: ReactNode; quiet?: ReactNode; tone?: "note" }) {
  return (
    <div className={classes.notice} data-tone={tone}>
      <div role={tone === "note" ? "status" : "alert"}>
        <strong>{title}</strong>
        {children}
      </div>
      {quiet}
    </div>
  );
}
