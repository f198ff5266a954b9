import { Problem } from "@/api/problem";

const SIGN_ON_PROBLEMS: Record<string, string> = {
  provider_away: "The single sign-on provider does not answer. Try again in a minute, or sign in with a password.",
  cancelled: "The sign-in was cancelled.",
  expired: "This sign-in took too long, or was used already. Try again.",
  not_trusted: "The provider's answer could not be trusted. An administrator finds the reason in the audit log.",
  unknown_person: "The provider knows you, but nobody has given you an account here. Ask an administrator.",
  disabled: "Your account here is disabled. Ask an administrator.",
  no_role: "The provider gives you no role here. Ask an administrator.",
  last_admin: "The provider takes away the roles of this site's last administrator. Sign in with a password, or name another first.",
  delayed: "Too many sign-ins failed from this address. Try again later.",
  failed: "Forewarn could not write the sign-in down. Try again in a minute.",
};

/** Why single sign-on brought the browser back here, or null. `search` as of window.location. */
export function signOnProblem(search: string): string | null {
  const code = new URLSearchParams(search).get("problem");
  if (code === null) return null;
  return SIGN_ON_PROBLEMS[code] ?? SIGN_ON_PROBLEMS.failed ?? null;
}

/** What stands in the way of signing in, in words that say what to do. */
export function refusalWords(error: unknown): { title: string; detail: string } {
  if (!(error instanceof Problem)) return { title: "Something failed", detail: error instanceof Error ? error.message : String(error) };
  if (error.status === 401) return { title: "Name or password is wrong", detail: "Check both. After several failures signing in is delayed." };
  if (error.status === 429) return { title: "Too many failed attempts", detail: "Signing in is delayed to keep guessing slow." };
  if (error.status === 0) return { title: "Forewarn does not answer", detail: "The server is down or the network is cut. What you typed is kept; try again." };
  if (error.status >= 500) return { title: "Forewarn cannot sign anybody in just now", detail: `${error.detail} Try again in a moment.`.trim() };
  return { title: error.title, detail: error.detail };
}
