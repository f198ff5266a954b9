import { Button, Group } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { session } from "@/api/browser-session";
import { Problem } from "@/api/problem";
import type { Person } from "@/api/types";
import { prose } from "@/ui/format";
import { strengthOf } from "../strength";
import { refusalWords } from "../words";
import { Notice } from "./Notice";
import { SecretInput } from "./SecretInput";
import classes from "./Session.module.css";

interface PasswordFormProps {
  person: Person;
  /** The one in use was given by somebody else. */
  oneTime?: boolean;
  onDone?: () => void;
  onCancel: () => void;
}

/** The password in use, and the one to come. What the server finds lacking is said in its words. */
export function PasswordForm({ person, oneTime = false, onDone, onCancel }: PasswordFormProps) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ title: string; detail: string } | null>(null);
  const { score, hint } = strengthOf(fresh, person.name);
  const differs = again.length >= fresh.length && again !== fresh;

  async function submit(e: FormEvent): Promise<void> {
    e.preventDefault();
    if (busy) return;
    if (again !== fresh) return setRefused({ title: "The two new passwords differ", detail: "Type the same one twice." });
    setBusy(true);
    try {
      await session.changePassword(old, fresh);
      onDone?.();
    } catch (cause) {
      setRefused(wordsOf(cause));
    }
    setBusy(false);
  }
  return (
    <form className={classes.form} onSubmit={(e) => void submit(e)}>
      {refused ? <Notice title={refused.title}>{prose(refused.detail)}</Notice> : null}
      {/* Tells a password manager whose password this is. */}
      <input className="sr-only" name="username" autoComplete="username" value={person.name} readOnly tabIndex={-1} aria-hidden="true" />
      <SecretInput
        label={oneTime ? "One-time password" : "Password in use"}
        name="current"
        autoComplete="current-password"
        autoFocus
        value={old}
        onChange={setOld}
      />
      <SecretInput label="New password" name="new" autoComplete="new-password" value={fresh} onChange={setFresh} />
      <div className={classes.meter}>
        {[1, 2, 3].map((step) => (
          <i key={step} data-on={score >= step || undefined} />
        ))}
        <span className={classes.hint} role="status">
          {hint}
        </span>
      </div>
      <SecretInput
        label="New password again"
        name="again"
        autoComplete="new-password"
        error={again && differs ? "Not the same" : undefined}
        value={again}
        onChange={setAgain}
      />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" size="sm" onClick={onCancel}>
          {oneTime ? "Sign out" : "Keep the old one"}
        </Button>
        <Button type="submit" size="sm" loading={busy} disabled={!old || !fresh || !again}>
          Set new password
        </Button>
      </Group>
    </form>
  );
}

function wordsOf(cause: unknown): { title: string; detail: string } {
  if (cause instanceof Problem && cause.field === "old") {
    return { title: "The password in use is wrong", detail: "Type the one you signed in with." };
  }
  if (cause instanceof Problem && cause.status >= 400 && cause.status < 429) {
    return { title: "The new password was not taken", detail: cause.detail || cause.title };
  }
  if (cause instanceof Problem && cause.status === 429) {
    const wait = cause.retryAfterS ? ` Try again in ${Math.ceil(cause.retryAfterS)} s.` : "";
    return { title: "Too many failed attempts", detail: `Changing the password is delayed.${wait}` };
  }
  return refusalWords(cause);
}
