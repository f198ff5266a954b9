import type { ReactNode } from "react";
import { Brand } from "@/ui/components/Brand";
import classes from "./Session.module.css";

/** The page around everything that comes before the plant is shown. */
export function Card({ title, lead, children }: { title: string; lead?: ReactNode; children?: ReactNode }) {
  return (
    <main className={classes.room}>
      <title>{`${title} · Forewarn`}</title>
      <div className={classes.brand}>
        <Brand size={28} />
        Forewarn
      </div>
      <section className={classes.card} aria-labelledby="card-title">
        <h1 id="card-title" className={classes.title}>
          {title}
        </h1>
        {lead ? <div className={classes.lead}>{lead}</div> : null}
        {children}
      </section>
    </main>
  );
}
