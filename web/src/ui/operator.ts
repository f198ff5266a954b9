import { useSyncExternalStore } from "react";

const KEY = "forewarn.operator";
const listeners = new Set<() => void>();
let name = read();

function read(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export function setOperator(next: string): void {
  name = next.trim();
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // A browser that keeps nothing still remembers the name until the page closes.
  }
  for (const tell of listeners) tell();
}

/** Whose name goes into the journal; "operator" until told. */
export function operatorName(): string {
  return name || "operator";
}

export function useOperator(): string {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell);
      return () => {
        listeners.delete(tell);
      };
    },
    () => name,
  );
}
