import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorPanel } from "@/ui/components/Panel";

/** In place of a page that cannot be shown: its file did not come (no connection, a new release), or it failed. */
export function PageError({ error }: ErrorComponentProps) {
  return (
    <ErrorPanel
      error={{ title: "This page cannot be shown", message: error instanceof Error ? error.message : String(error) }}
      onRetry={() => window.location.reload()}
    />
  );
}
