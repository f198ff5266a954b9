import { useSyncExternalStore } from "react";
import type { Action, Person } from "./types";
import { session } from "./browser-session";
import type { SessionState } from "./session";

/** The state of this page's session. */
export function useSessionState(): SessionState {
  return useSyncExternalStore(session.watch, () => session.state);
}

interface SignedIn {
  person: Person;
  demo: boolean;
  may: (action: Action) => boolean;
}

/** Who is signed in; used below the gate, where somebody is. */
export function useSession(): SignedIn {
  const state = useSessionState();
  const person = state.status === "signed-in" ? state.person : NOBODY;
  return {
    person,
    demo: state.status === "signed-in" && state.demo,
    may: (action) => person.actions.includes(action),
  };
}

/** Whether the person may do this somewhere in the plant; the server decides for each thing. */
export function useMay(action: Action): boolean {
  return useSession().may(action);
}

/** For the moment between a sign-out and the page that it closes. */
const NOBODY: Person = {
  id: "",
  name: "",
  full_name: "",
  must_change: false,
  disabled: true,
  single_sign_on: false,
  created_at: "",
  grants: [],
  actions: [],
};
