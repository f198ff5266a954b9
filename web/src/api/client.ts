import createClient from "openapi-fetch";
import { session } from "./browser-session";
import { Problem, problemOf } from "./problem";
import type { paths } from "./schema";

const NOBODY = "The server is down or the network is cut";

/** Says what becomes of a call that nobody answers: what is read is asked for again, what is done never. */
async function reach(request: Request): Promise<Response> {
  try {
    return await session.fetch(request);
  } catch (cause) {
    if (request.method === "GET" || isOwn(cause)) throw cause;
    throw unanswered(`${NOBODY}. It is not sent later: try again when the connection is back.`);
  }
}

const unanswered = (detail: string): Problem => new Problem("Forewarn does not answer", detail, 0);

function isOwn(cause: unknown): boolean {
  return cause instanceof Problem || (cause instanceof DOMException && cause.name === "AbortError");
}

/** Every call carries the session's token. */
export const client = createClient<paths>({ baseUrl: "", fetch: reach });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of a good answer; throws Problem for a refusal and for an unreachable server. */
export async function answerOf<T>(call: Promise<Answer<T>>): Promise<NonNullable<T>> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (isOwn(cause)) throw cause;
    throw unanswered(`${NOBODY}; the page keeps trying.`);
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
