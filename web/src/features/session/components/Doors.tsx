import { Button } from "@mantine/core";
import { session } from "@/api/browser-session";
import type { Person } from "@/api/types";
import { useNow } from "@/ui/clock";
import { Card } from "./Card";
import { PasswordForm } from "./PasswordForm";
import classes from "./Session.module.css";

/** While the page asks whether its browser is signed in; a quick answer never shows this. */
export function Opening() {
  return (
    <p className={classes.opening} role="status">
      Opening Forewarn…
    </p>
  );
}

export function ServerAway({ retryAt }: { retryAt: number }) {
  const now = useNow();
  const left = Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <Card title="Forewarn does not answer" lead="The server is down or the network is cut. The page keeps trying by itself.">
      <Button variant="default" fullWidth size="md" onClick={() => void session.start()}>
        Try now <span className="num" aria-hidden="true">{left ? `(else in ${left} s)` : ""}</span>
      </Button>
    </Card>
  );
}

/** Nothing works before a password is chosen that only its owner knows. */
export function MustChange({ person }: { person: Person }) {
  return (
    <Card
      title="Choose your password"
      lead={
        <>
          You are signed in as <strong>{person.name}</strong> with a password that somebody else has seen. Choose one that only
          you know.
        </>
      }
    >
      <PasswordForm person={person} oneTime onCancel={() => void session.signOut().catch(() => undefined)} />
    </Card>
  );
}

export function DemoStrip() {
  return (
    <div className={classes.demo} role="note">
      Demo: signed in by itself, on this machine only.
    </div>
  );
}
