/** A refusal after RFC 9457. `status` 0 means that no server answered. */
export class Problem extends Error {
  /** Seconds until it may be tried again, where the server said so. */
  retryAfterS?: number;
  /** The part of the request that is to blame, where one is. */
  field?: string;

  constructor(
    readonly title: string,
    readonly detail: string,
    readonly status: number,
    readonly traceId?: string,
  ) {
    super(detail || title);
    this.name = "Problem";
  }
}

function text(source: object, key: string): string | undefined {
  const value = (source as Record<string, unknown>)[key];
  return typeof value === "string" ? value : undefined;
}

/** The Problem in a refusal's body, whatever its shape. */
export function problemOf(body: unknown, status: number): Problem {
  if (typeof body !== "object" || body === null) {
    return new Problem(`The server answered ${status}`, typeof body === "string" ? body.slice(0, 300) : "", status);
  }
  const title = text(body, "title") ?? `The server answered ${status}`;
  const problem = new Problem(title, text(body, "detail") ?? "", status, text(body, "trace_id"));
  const field = text(body, "field");
  if (field) problem.field = field;
  return problem;
}

/** Nobody answered; the strip above every page says so, and what is shown stays. */
export function isUnreachable(error: Error): boolean {
  return error instanceof Problem && error.status === 0;
}
