import { Button, Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import { prose } from "../format";
import { IconRetry } from "../icons";
import classes from "./Panel.module.css";

interface PanelProps {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  label?: string;
  flush?: boolean;
}

/** A titled surface; `flush` lets a table reach its edges. */
export function Panel({ title, actions, children, label, flush = false }: PanelProps) {
  return (
    <section className={classes.panel} aria-label={label}>
      {title || actions ? (
        <header className={classes.head}>
          <h2 className={classes.title}>{title}</h2>
          <div className={classes.actions}>{actions}</div>
        </header>
      ) : null}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <strong>{title}</strong>
      {children ? <div className="muted">{children}</div> : null}
    </div>
  );
}

interface Refusal {
  message: string;
  title?: string;
  detail?: string;
  traceId?: string;
}

interface ErrorPanelProps {
  error: Refusal;
  onRetry?: () => void;
  /** Another way on. */
  children?: ReactNode;
}

/** What went wrong in one panel, in the server's words, with a way to try again. */
export function ErrorPanel({ error, onRetry, children }: ErrorPanelProps) {
  const detail = error.detail ?? error.message;
  return (
    <div className={classes.error} role="alert">
      <div>
        <strong>{error.title ?? "Something failed"}</strong>
        {detail ? <div>{prose(detail)}</div> : null}
        {error.traceId ? <div className="muted">Trace {error.traceId}</div> : null}
        {children}
      </div>
      {onRetry ? (
        <Button variant="default" leftSection={<IconRetry size={14} />} onClick={onRetry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

export function Rows({ count, height = 44 }: { count: number; height?: number }) {
  return (
    <div className={classes.rows} role="status" aria-busy="true">
      <span className="sr-only">Loading</span>
      {Array.from({ length: count }, (_, i) => (
        <Skeleton key={i} height={height} radius={4} />
      ))}
    </div>
  );
}
