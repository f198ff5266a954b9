import { session } from "./browser-session";
import { Problem, problemOf } from "./problem";

/** Fetch a file with the session's token and hand it to the browser to keep. Throws Problem. */
export async function download(url: string, fallbackName: string): Promise<void> {
  let answer: Response;
  let blob: Blob;
  try {
    answer = await session.fetch(url);
    if (!answer.ok) throw problemOf(await answer.json().catch(() => null), answer.status);
    blob = await answer.blob();
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("The file did not arrive", "The server is down or the network is cut.", 0);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName(answer.headers.get("Content-Disposition")) ?? fallbackName;
  link.click();
  // Not at once: the browser may not have begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The name in `attachment; filename="readings.parquet"`. */
export function fileName(disposition: string | null): string | null {
  return /filename="?([^";]+)"?/i.exec(disposition ?? "")?.[1] ?? null;
}
