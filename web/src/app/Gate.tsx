import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Problem } from "@/api/problem";
import { isDemoBrowser } from "@/api/browser-session";
import { useSessionState } from "@/api/use-session";
import { MustChange, Opening, ServerAway } from "@/features/session/components/Doors";
import { SignInPage } from "@/features/session/components/SignInPage";

/** What one person has fetched; the next person begins with nothing. */
function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        refetchOnWindowFocus: true,
        retry: (count, error) => count < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
      },
      // What cannot be done now fails now: kept for later, it would be done after the person has turned away from it.
      mutations: { networkMode: "always", retry: false },
    },
  });
}

/** Lets in only who is signed in. The address stays as it is, so that the page asked for opens afterwards. */
export function Gate({ children }: { children: ReactNode }) {
  const state = useSessionState();
  switch (state.status) {
    case "starting":
      return <Opening />;
    case "away":
      return <ServerAway retryAt={state.retryAt} />;
    case "signed-out":
      return <SignInPage ended={state.ended} demo={isDemoBrowser()} />;
    case "signed-in":
      if (state.person.must_change) return <MustChange person={state.person} />;
      return <Inside key={state.person.id}>{children}</Inside>;
  }
}

function Inside({ children }: { children: ReactNode }) {
  const [queries] = useState(createQueries);
  return <QueryClientProvider client={queries}>{children}</QueryClientProvider>;
}
