import createClient from "openapi-fetch";
import { session } from "./browser-session";
import { Problem, problemOf } from "./problem";
import type { paths } from "./schema";

/** Every call carries the session's token. */
export const client = createClient<paths>({ baseUrl: "", fetch: session.fetch });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of a good answer; throws Problem for a refusal and for an unreachable server. */
export async function answerOf<T>(call: Promise<Answer<T>>): Promise<NonNullable<T>> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new Problem("Forewarn does not answer", "The server is down or the network is cut; the page keeps trying.", 0);
  }
  if (answer.error !== undefined || answer.data === undefined || answer.data === null) {
    throw problemOf(answer.error, answer.response.status);
  }
  return answer.data as NonNullable<T>;
}

/** For a call whose good answer has no body; throws Problem as `answerOf` does. */
export async function doneOf(call: Promise<Answer<unknown>>): Promise<void> {
  await answerOf(call.then((answer) => (answer.response.ok ? { ...answer, error: undefined, data: true } : answer)));
}
