import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { session } from "@/api/browser-session";
import { Problem } from "@/api/problem";
import { useNow } from "@/ui/clock";
import { formatDuration } from "@/ui/format";
import { refusalWords, signOnProblem } from "../words";
import { Card } from "./Card";
import { Notice } from "./Notice";
import { SecretInput } from "./SecretInput";
import { SingleSignOn } from "./SingleSignOn";
import classes from "./Session.module.css";

/** In place of every page while nobody is signed in; the address stays, so that the page asked for comes next. */
export function SignInPage({ ended, demo }: { ended: boolean; demo: boolean }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  const [waitUntil, setWaitUntil] = useState(0);
  const secret = useRef<HTMLInputElement>(null);
  const left = useSecondsUntil(waitUntil);
  const [signOn] = useState(() => (window.location.pathname === "/sign-in" ? signOnProblem(window.location.search) : null));

  async function submit(e: FormEvent): Promise<void> {
    e.preventDefault();
    if (busy || left > 0) return;
    setBusy(true);
    try {
      await session.signIn(name.trim(), password);
    } catch (cause) {
      setRefused(cause);
      if (cause instanceof Problem && cause.retryAfterS) setWaitUntil(Date.now() + cause.retryAfterS * 1000);
      setBusy(false);
      secret.current?.select();
    }
  }
  async function enterDemo(): Promise<void> {
    const outcome = await session.enterDemo();
    if (outcome === "away") setRefused(new Problem("Forewarn does not answer", "", 0));
    if (outcome === "refused") setRefused(new Problem("There is no demo here", "This site wants a name and a password.", 404));
  }
  const words = refused === null ? null : refusalWords(refused);
  const delayed = refused instanceof Problem && refused.status === 429;
  return (
    <Card title="Sign in">
      <form className={classes.form} onSubmit={(e) => void submit(e)}>
        {words && !(delayed && left === 0) ? (
          <Notice
            title={words.title}
            quiet={delayed ? <span className="num">Try again in {countdown(left)}.</span> : null}
          >
            {words.detail}
          </Notice>
        ) : signOn ? (
          <Notice title="Single sign-on did not sign you in">{signOn}</Notice>
        ) : ended ? (
          <Notice tone="note" title="You were signed out">
            The session has ended or was ended. Sign in to go on where you were.
          </Notice>
        ) : null}
        <TextInput
          label="Name"
          name="username"
          size="md"
          required
          withAsterisk={false}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <SecretInput label="Password" name="password" autoComplete="current-password" ref={secret} value={password} onChange={setPassword} />
        <Button type="submit" size="md" fullWidth loading={busy} disabled={left > 0}>
          {left > 0 ? <span className="num">Wait {countdown(left)}</span> : "Sign in"}
        </Button>
      </form>
      <SingleSignOn />
      <div className={classes.other}>
        {demo ? (
          <Button variant="default" fullWidth onClick={() => void enterDemo()}>
            Back into the demo
          </Button>
        ) : (
          "No account, or the password is forgotten? Whoever administers this site can help."
        )}
      </div>
    </Card>
  );
}

/** Whole seconds until Date.now() reaches `at`; 0 afterwards. */
function useSecondsUntil(at: number): number {
  const now = useNow();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => tick((n) => n + 1), Math.max(0, at - Date.now()));
    return () => clearTimeout(timer);
  }, [at]);
  return Math.max(0, Math.ceil((at - now) / 1000));
}

const countdown = (seconds: number): string => (seconds < 10 ? `${seconds} s` : formatDuration(seconds));
